// Automatic mixed precision by CUDA's lists of operators, not the CPU's: what a card keeps in float32 (norms, losses,
// softmax) and what it lowers.
#include <ATen/autocast_mode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/library.h>

#include "simulated.h"

namespace simulated {
namespace {

using torch::jit::Stack;

bool eligible(const at::Tensor& tensor) {
  return onDevice(tensor) && tensor.is_floating_point() && tensor.scalar_type() != at::kDouble;
}

template <typename F>
c10::IValue mapTensors(const c10::IValue& value, F convert) {
  if (value.isTensor()) return convert(value.toTensor());
  if (!value.isTensorList()) return value;
  c10::List<at::Tensor> list;
  for (const at::Tensor& tensor : value.toTensorVector()) list.push_back(convert(tensor));
  return list;
}

void castAll(const c10::OperatorHandle& op, Stack* stack, at::ScalarType dtype) {
  c10::impl::ExcludeDispatchKeyGuard below(c10::DispatchKeySet(c10::DispatchKey::AutocastPrivateUse1));
  const size_t count = op.schema().arguments().size();
  for (size_t i = stack->size() - count; i < stack->size(); i++)
    (*stack)[i] = mapTensors((*stack)[i], [&](const at::Tensor& tensor) {
      return eligible(tensor) ? at::autocast::cached_cast(dtype, tensor, kType) : tensor;
    });
  op.callBoxed(stack);
}

void lower(const c10::OperatorHandle& op, Stack* stack) { castAll(op, stack, at::autocast::get_autocast_dtype(kType)); }
void raise(const c10::OperatorHandle& op, Stack* stack) { castAll(op, stack, at::kFloat); }

// The widest of the arguments' dtypes.
void promote(const c10::OperatorHandle& op, Stack* stack) {
  at::ScalarType widest = at::autocast::get_autocast_dtype(kType);
  const size_t count = op.schema().arguments().size();
  for (size_t i = stack->size() - count; i < stack->size(); i++)
    mapTensors((*stack)[i], [&](const at::Tensor& tensor) {
      if (eligible(tensor)) widest = c10::promoteTypes(widest, tensor.scalar_type());
      return tensor;
    });
  castAll(op, stack, widest);
}

// Sums and softmax take float32 as their result's dtype, unless one was asked for.
void setDtype(const c10::OperatorHandle& op, Stack* stack) {
  c10::impl::ExcludeDispatchKeyGuard below(c10::DispatchKeySet(c10::DispatchKey::AutocastPrivateUse1));
  const auto& arguments = op.schema().arguments();
  const size_t first = stack->size() - arguments.size();
  const c10::IValue& input = (*stack)[first];
  for (size_t i = 0; i < arguments.size(); i++)
    if (arguments[i].name() == "dtype" && (*stack)[first + i].isNone() && input.isTensor() && eligible(input.toTensor()))
      (*stack)[first + i] = static_cast<int64_t>(at::kFloat);
  op.callBoxed(stack);
}

// "conv_transpose2d, input" -> "conv_transpose2d.input"
std::string overloadOf(std::string entry) {
  size_t comma = entry.find(", ");
  return comma == std::string::npos ? entry : entry.replace(comma, 2, ".");
}

template <void (*Policy)(const c10::OperatorHandle&, Stack*)>
void add(torch::Library& library, const char* entry) {
  library.impl(overloadOf(entry).c_str(), torch::CppFunction::makeFromBoxedFunction<Policy>());
}

TORCH_LIBRARY_IMPL(_, AutocastPrivateUse1, library) { library.fallback(torch::CppFunction::makeFallthrough()); }

TORCH_LIBRARY_IMPL(aten, AutocastPrivateUse1, library) {
#define LOWER(...) add<&lower>(library, #__VA_ARGS__);
#define RAISE(...) add<&raise>(library, #__VA_ARGS__);
#define SET_DTYPE(...) add<&setDtype>(library, #__VA_ARGS__);
#define PROMOTE(...) add<&promote>(library, #__VA_ARGS__);
  AT_FORALL_LOWER_PRECISION_FP(LOWER)
  AT_FORALL_FP32(RAISE)
  AT_FORALL_FP32_SET_OPT_DTYPE(SET_DTYPE)
  AT_FORALL_PROMOTE(PROMOTE)
  add<&raise>(library, "norm.Scalar");
  add<&raise>(library, "norm.ScalarOpt_dim");
}

} // namespace
} // namespace simulated
