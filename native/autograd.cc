// Autograd and its modes: leaf flags, backward, grad, no-grad, inference mode, autocast.
#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "convert.h"
#include "guard.h"

namespace invdiff {
namespace {

std::vector<at::Tensor> tensorsOf(napi_env env, napi_value value) {
  std::vector<at::Tensor> tensors;
  if (isNone(env, value)) return tensors;
  for (uint32_t i = 0, n = arrayLength(env, value); i < n; i++) {
    napi_value item = element(env, value, i);
    tensors.push_back(isNone(env, item) ? at::Tensor() : tensorOf(env, item));
  }
  return tensors;
}

napi_value requiresGrad(const Call& call) { return fromBool(call.env, tensorOf(call.env, call[0]).requires_grad()); }

napi_value setRequiresGrad(const Call& call) {
  tensorOf(call.env, call[0]).set_requires_grad(toBool(call.env, call[1]));
  return undefined(call.env);
}

napi_value isLeaf(const Call& call) { return fromBool(call.env, tensorOf(call.env, call[0]).is_leaf()); }

napi_value gradient(const Call& call) {
  const at::Tensor& grad = tensorOf(call.env, call[0]).grad();
  return grad.defined() ? wrap(envOf(call.env), grad) : undefined(call.env);
}

napi_value setGradient(const Call& call) {
  tensorOf(call.env, call[0]).mutable_grad() =
      isNone(call.env, call[1]) ? at::Tensor() : tensorOf(call.env, call[1]);
  return undefined(call.env);
}

// (tensors, gradients, retainGraph)
napi_value backward(const Call& call) {
  torch::autograd::backward(tensorsOf(call.env, call[0]), tensorsOf(call.env, call[1]), toBool(call.env, call[2]));
  return undefined(call.env);
}

// (outputs, inputs, gradOutputs, retainGraph, createGraph, allowUnused) -> gradients
napi_value grad(const Call& call) {
  Env& env = envOf(call.env);
  auto gradients = torch::autograd::grad(tensorsOf(call.env, call[0]), tensorsOf(call.env, call[1]),
                                         tensorsOf(call.env, call[2]), toBool(call.env, call[3]),
                                         toBool(call.env, call[4]), toBool(call.env, call[5]));
  return fromList(call.env, gradients, [&](const at::Tensor& tensor) {
    return tensor.defined() ? wrap(env, tensor) : undefined(call.env);
  });
}

napi_value setGradMode(const Call& call) {
  bool before = c10::GradMode::is_enabled();
  c10::GradMode::set_enabled(toBool(call.env, call[0]));
  return fromBool(call.env, before);
}

napi_value pushInferenceMode(const Call& call) {
  envOf(call.env).inference.push_back(std::make_unique<c10::InferenceMode>(true));
  return undefined(call.env);
}

napi_value popInferenceMode(const Call& call) {
  auto& modes = envOf(call.env).inference;
  if (modes.empty()) fail("inference mode was left more often than entered");
  modes.pop_back();
  return undefined(call.env);
}

// (device, enabled, dtype | undefined) -> { enabled, dtype } as they were
napi_value setAutocast(const Call& call) {
  auto type = deviceOf(toString(call.env, call[0])).type();
  napi_value before;
  napi_create_object(call.env, &before);
  setProperty(call.env, before, "enabled", fromBool(call.env, at::autocast::is_autocast_enabled(type)));
  setProperty(call.env, before, "dtype", fromString(call.env, nameOf(at::autocast::get_autocast_dtype(type))));
  at::autocast::set_autocast_enabled(type, toBool(call.env, call[1]));
  if (!isNone(call.env, call[2])) at::autocast::set_autocast_dtype(type, dtypeOf(toString(call.env, call[2])));
  return before;
}

// (+1 | -1): casts of weights are cached until the outermost autocast region ends
napi_value nestAutocast(const Call& call) {
  if (toInt(call.env, call[0]) > 0) {
    at::autocast::increment_nesting();
  } else if (at::autocast::decrement_nesting() == 0) {
    at::autocast::clear_cache();
  }
  return undefined(call.env);
}

} // namespace

void initAutograd(napi_env env, napi_value exports) {
  define<requiresGrad>(env, exports, "requiresGrad");
  define<setRequiresGrad>(env, exports, "setRequiresGrad");
  define<isLeaf>(env, exports, "isLeaf");
  define<gradient>(env, exports, "gradient");
  define<setGradient>(env, exports, "setGradient");
  define<backward>(env, exports, "backward");
  define<grad>(env, exports, "grad");
  define<setGradMode>(env, exports, "setGradMode");
  define<pushInferenceMode>(env, exports, "pushInferenceMode");
  define<popInferenceMode>(env, exports, "popInferenceMode");
  define<setAutocast>(env, exports, "setAutocast");
  define<nestAutocast>(env, exports, "nestAutocast");
}

} // namespace invdiff
