// Per-environment state (main thread and every worker have their own) and the boxes that JavaScript holds.
#pragma once
#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/InferenceMode.h>

#include <memory>
#include <string>
#include <vector>

#include "node-api.h"

namespace invdiff {

// What an operator argument is, resolved once per operator instead of once per call.
enum class Kind { Tensor, Int, Float, Bool, Scalar, String, Device, DType, Layout, MemoryFormat, Generator, Other };

struct ArgSpec {
  Kind kind = Kind::Other;
  bool optional = false;         // the argument itself may be None
  bool list = false;             // a list of `kind`
  bool optionalElements = false; // Tensor?[]
  int64_t fixedSize = 0;         // int[2]: a single number stands for all elements
};

struct Op {
  c10::OperatorHandle handle;
  std::vector<ArgSpec> args;
  std::vector<bool> returnsWritten; // the return is one of the arguments, written in place: the caller has it
};

struct Env {
  napi_env env = nullptr;
  napi_ref makeError = nullptr; // (kind, message) => Error, given by src/torch
  std::vector<Op> ops;
  std::vector<std::unique_ptr<c10::InferenceMode>> inference;
  int64_t tensors = 0;
  int64_t bytes = 0;
  int64_t unreported = 0; // bytes not yet told to the collector
  int64_t boxes = 0;
  bool closed = false;
};

struct TensorBox {
  static constexpr uint32_t kMagic = 0x7e45a0b1;
  uint32_t magic = kMagic;
  bool released = false;
  int64_t bytes = 0;
  Env* env = nullptr;
  at::Tensor tensor;
};

struct GeneratorBox {
  static constexpr uint32_t kMagic = 0x7e45a0b2;
  uint32_t magic = kMagic;
  at::Generator generator;
};

Env& envOf(napi_env env);
napi_value wrap(Env& env, at::Tensor tensor);
TensorBox& boxOf(napi_env env, napi_value value);
const at::Tensor& tensorOf(napi_env env, napi_value value);
void release(TensorBox& box);
at::Generator& generatorOf(napi_env env, napi_value value);

} // namespace invdiff
