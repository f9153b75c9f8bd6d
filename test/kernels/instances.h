// The kernels' text compiled for the processor, for every choice of types and vector length.
#pragma once
#include "cuda-shim.h"

#include <cstddef>
#include <map>
#include <string>

#include "group-norm-plan.h"

constexpr int kSharedFloats = invdiff::group_norm::kSharedBytes / 4 + 64;

// The kernels compiled for one choice of types and vector length.
struct Instance {
  int io, weight, vector;
  float* shared;
  std::map<std::string, void (*)(const invdiff::GroupNormArgs&)> kernels;

  void launch(const std::string& name, const invdiff::GroupNormArgs& args, int64_t blocks, int threads, int sharedBytes,
              host::Order order) const {
    auto kernel = kernels.at(name);
    host::launch([&] { kernel(args); }, blocks, threads, sharedBytes, shared, kSharedFloats, order);
  }
};

#define INVDIFF_NAME float32_weight0_by4
#define INVDIFF_IO 0
#define INVDIFF_WEIGHT 0
#define INVDIFF_VECTOR 4
#include "instance.h"
#define INVDIFF_NAME float32_weight0_by1
#define INVDIFF_IO 0
#define INVDIFF_WEIGHT 0
#define INVDIFF_VECTOR 1
#include "instance.h"
#define INVDIFF_NAME bfloat16_weight0_by8
#define INVDIFF_IO 1
#define INVDIFF_WEIGHT 0
#define INVDIFF_VECTOR 8
#include "instance.h"
#define INVDIFF_NAME bfloat16_weight0_by1
#define INVDIFF_IO 1
#define INVDIFF_WEIGHT 0
#define INVDIFF_VECTOR 1
#include "instance.h"
#define INVDIFF_NAME bfloat16_weight1_by8
#define INVDIFF_IO 1
#define INVDIFF_WEIGHT 1
#define INVDIFF_VECTOR 8
#include "instance.h"
#define INVDIFF_NAME bfloat16_weight1_by1
#define INVDIFF_IO 1
#define INVDIFF_WEIGHT 1
#define INVDIFF_VECTOR 1
#include "instance.h"
#define INVDIFF_NAME float16_weight0_by8
#define INVDIFF_IO 2
#define INVDIFF_WEIGHT 0
#define INVDIFF_VECTOR 8
#include "instance.h"
#define INVDIFF_NAME float16_weight0_by1
#define INVDIFF_IO 2
#define INVDIFF_WEIGHT 0
#define INVDIFF_VECTOR 1
#include "instance.h"
#define INVDIFF_NAME float16_weight2_by8
#define INVDIFF_IO 2
#define INVDIFF_WEIGHT 2
#define INVDIFF_VECTOR 8
#include "instance.h"
#define INVDIFF_NAME float16_weight2_by1
#define INVDIFF_IO 2
#define INVDIFF_WEIGHT 2
#define INVDIFF_VECTOR 1
#include "instance.h"

const Instance* const kInstances[] = {&float32_weight0_by4::instance, &float32_weight0_by1::instance, &bfloat16_weight0_by8::instance, &bfloat16_weight0_by1::instance, &bfloat16_weight1_by8::instance, &bfloat16_weight1_by1::instance, &float16_weight0_by8::instance, &float16_weight0_by1::instance, &float16_weight2_by8::instance, &float16_weight2_by1::instance};

// The kernels for these types and vector length, or null.
inline const Instance* instanceOf(int io, int weight, int vector) {
  for (const Instance* instance : kInstances)
    if (instance->io == io && instance->weight == weight && instance->vector == vector) return instance;
  return nullptr;
}
