// Switches of the process: how exactly, how repeatably and with which kernels a card computes. Every libtorch from 2.4 on
// has these; newer ones also have finer switches, which the ones used here keep in step.
#include <ATen/Context.h>

#include <cstdlib>
#include <type_traits>

#include "guard.h"

namespace invdiff {
namespace {

at::Context& context() { return at::globalContext(); }

// Matrix products and convolutions together. The setters of single operators (2.9) would leave these getters to throw.
napi_value setAllowTF32(const Call& call) {
  bool allowed = toBool(call.env, call[0]);
  context().setAllowTF32CuBLAS(allowed);
  context().setAllowTF32CuDNN(allowed);
  return undefined(call.env);
}

// Newer libtorches would have us ask operator by operator.
struct Silence final : c10::WarningHandler {
  void process(const c10::Warning&) override {}
};

napi_value allowTF32(const Call& call) {
  Silence silent;
  c10::WarningUtils::WarningHandlerGuard guard(&silent);
  return fromBool(call.env, context().allowTF32CuBLAS() && context().allowTF32CuDNN());
}

// A bool up to 2.8, then one of three settings of which the first allows all.
template <typename T>
bool isAllowed(T setting) {
  if constexpr (std::is_enum_v<T>) {
    return setting == T::AllowReducedPrecisionWithSplitK;
  } else {
    return setting;
  }
}

napi_value setReducedPrecisionReduction(const Call& call) {
  bool allowed = toBool(call.env, call[0]);
  context().setAllowFP16ReductionCuBLAS(allowed);
  context().setAllowBF16ReductionCuBLAS(allowed);
  return undefined(call.env);
}

napi_value reducedPrecisionReduction(const Call& call) {
  return fromBool(call.env, isAllowed(context().allowFP16ReductionCuBLAS()) &&
                                isAllowed(context().allowBF16ReductionCuBLAS()));
}

napi_value setDeterministic(const Call& call) {
  bool deterministic = toBool(call.env, call[0]);
  // cuBLAS gives the same sums each time only with a fixed work space, and libtorch refuses to go on without. Read once,
  // at the first matrix product on a card.
  if (deterministic) setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  context().setDeterministicAlgorithms(deterministic, /*warn_only=*/false);
  // Nothing here reads memory before it is written; filling it would cost a pass over every new tensor.
  context().setDeterministicFillUninitializedMemory(false);
  context().setDeterministicCuDNN(deterministic);
  if (deterministic) context().setBenchmarkCuDNN(false);
  return undefined(call.env);
}

napi_value deterministic(const Call& call) {
  return fromBool(call.env, context().deterministicAlgorithms() && context().deterministicCuDNN());
}

napi_value setConvolutionBenchmark(const Call& call) {
  bool benchmark = toBool(call.env, call[0]);
  if (benchmark && context().deterministicCuDNN())
    fail("kernels cannot be tried out and deterministic at once: which is fastest changes from run to run");
  context().setBenchmarkCuDNN(benchmark);
  return undefined(call.env);
}

napi_value convolutionBenchmark(const Call& call) { return fromBool(call.env, context().benchmarkCuDNN()); }

bool flag(const Call& call, const char* name) {
  napi_value value;
  check(napi_get_named_property(call.env, call[0], name, &value), "an object of attention kernels");
  return toBool(call.env, value);
}

// ({ flash, cudnn, memoryEfficient, math })
napi_value setAttentionKernels(const Call& call) {
  bool flash = flag(call, "flash"), cudnn = flag(call, "cudnn");
  bool memoryEfficient = flag(call, "memoryEfficient"), math = flag(call, "math");
  if (!flash && !cudnn && !memoryEfficient && !math) fail("at least one attention kernel must be allowed");
  context().setSDPUseFlash(flash);
  context().setSDPUseCuDNN(cudnn);
  context().setSDPUseMemEfficient(memoryEfficient);
  context().setSDPUseMath(math);
  return undefined(call.env);
}

napi_value attentionKernels(const Call& call) {
  return fromFields(call.env, {{"flash", fromBool(call.env, context().userEnabledFlashSDP())},
                               {"cudnn", fromBool(call.env, context().userEnabledCuDNNSDP())},
                               {"memoryEfficient", fromBool(call.env, context().userEnabledMemEfficientSDP())},
                               {"math", fromBool(call.env, context().userEnabledMathSDP())}});
}

} // namespace

void initPrecision(napi_env env, napi_value exports) {
  define<setAllowTF32>(env, exports, "setAllowTF32");
  define<allowTF32>(env, exports, "allowTF32");
  define<setReducedPrecisionReduction>(env, exports, "setReducedPrecisionReduction");
  define<reducedPrecisionReduction>(env, exports, "reducedPrecisionReduction");
  define<setDeterministic>(env, exports, "setDeterministic");
  define<deterministic>(env, exports, "deterministic");
  define<setConvolutionBenchmark>(env, exports, "setConvolutionBenchmark");
  define<convolutionBenchmark>(env, exports, "convolutionBenchmark");
  define<setAttentionKernels>(env, exports, "setAttentionKernels");
  define<attentionKernels>(env, exports, "attentionKernels");
}

} // namespace invdiff
