// Operators invdiff::group_norm and its parts: group normalisation, with SiLU if asked, of channels-last CUDA tensors by
// the kernels of group-norm-*.cu.h. Everything else goes to libtorch's own operators.
#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/DeviceGuard.h>
#include <torch/csrc/autograd/autograd_not_implemented_fallback.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "device-code.h"
#include "group-norm-plan.h"

// test/kernels builds this file for the CPU, with the kernels run there.
#ifndef INVDIFF_KERNEL_DEVICE
#define INVDIFF_KERNEL_DEVICE CUDA
#endif

namespace invdiff {
namespace {

constexpr auto kDevice = c10::DeviceType::INVDIFF_KERNEL_DEVICE;

const char* const kForwardText =
#include "group-norm-common.cu.h"
#include "group-norm-forward.cu.h"
    ;
const char* const kBackwardText =
#include "group-norm-common.cu.h"
#include "group-norm-backward.cu.h"
    ;
const std::vector<std::string> kForwardNames = {"group_norm_small", "group_norm_statistics", "group_norm_merge",
                                                "group_norm_normalize"};
const std::vector<std::string> kBackwardNames = {"group_norm_small_backward", "group_norm_backward_sums",
                                                 "group_norm_backward_merge", "group_norm_backward_input",
                                                 "group_norm_backward_affine"};

// Number of the type in the kernels' text, or nothing.
std::optional<int> kindOf(at::ScalarType type) {
  if (type == at::kFloat) return 0;
  if (type == at::kBFloat16) return 1;
  if (type == at::kHalf) return 2;
  return std::nullopt;
}

bool isAligned(const at::Tensor& tensor) { return reinterpret_cast<uintptr_t>(tensor.const_data_ptr()) % 16 == 0; }

// How one call is done: planned from shapes and addresses alone.
struct Work {
  GroupNormShape shape;
  GroupNormPlan plan;
  int vector = 1;
};

std::optional<Work> workOf(const at::Tensor& input, int64_t groups, bool aligned, bool backward) {
  Work work;
  work.shape = {input.size(0), input.size(2) * input.size(3), input.size(1), groups,
                static_cast<int>(input.element_size()), backward};
  work.vector = group_norm::vectorOf(work.shape.channels, work.shape.elementBytes, aligned);
  auto plan = planGroupNorm(work.shape, work.vector, multiprocessorsOf(input.device()));
  if (!plan) return std::nullopt;
  work.plan = *plan;
  return work;
}

bool isAffine(const at::Tensor& tensor, const at::Tensor& input) {
  return tensor.device() == input.device() && tensor.dim() == 1 && tensor.size(0) == input.size(1) &&
         tensor.is_contiguous();
}

// Whether the kernels do this call, forward and backward.
bool isOurs(const at::Tensor& input, int64_t groups, const at::Tensor& weight, const at::Tensor& bias) {
  if (input.device().type() != kDevice || input.dim() != 4 || !kindOf(input.scalar_type()) || input.numel() == 0) return false;
  if (groups < 1 || input.size(1) % groups != 0) return false;
  if (!input.is_contiguous(at::MemoryFormat::ChannelsLast)) return false;
  if (!isAffine(weight, input) || !isAffine(bias, input) || weight.scalar_type() != bias.scalar_type()) return false;
  if (weight.scalar_type() != at::kFloat && weight.scalar_type() != input.scalar_type()) return false;
  // Results and gradients may be aligned otherwise than the input, hence all four.
  return workOf(input, groups, true, false) && workOf(input, groups, true, true) &&
         workOf(input, groups, false, false) && workOf(input, groups, false, true);
}

GroupNormArgs argsOf(const Work& work, const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) {
  GroupNormArgs args{};
  applyPlan(work.shape, work.plan, args);
  args.x = input.const_data_ptr();
  args.weight = weight.const_data_ptr();
  args.bias = bias.const_data_ptr();
  return args;
}

const DeviceModule& kernelsFor(const at::Tensor& input, const at::Tensor& weight, int vector, bool backward) {
  const std::string options = "-DINVDIFF_IO=" + std::to_string(*kindOf(input.scalar_type())) +
                              " -DINVDIFF_WEIGHT=" + std::to_string(*kindOf(weight.scalar_type())) +
                              " -DINVDIFF_VECTOR=" + std::to_string(vector);
  return deviceModule(input.device(), backward ? kBackwardText : kForwardText, options,
                      backward ? kBackwardNames : kForwardNames);
}

at::Tensor floats(const at::Tensor& like, at::IntArrayRef sizes) {
  return at::empty(sizes, like.options().dtype(at::kFloat));
}

auto launcherFor(const at::Tensor& input, const DeviceModule& kernels, GroupNormArgs& args) {
  return [&kernels, &args, device = input.device()](const char* name, int64_t blocks, int threads, int sharedBytes) {
    launchKernel(device, kernels.at(name), blocks, threads, sharedBytes, &args);
  };
}

// -> y, mean [B, groups], rstd [B, groups]
std::tuple<at::Tensor, at::Tensor, at::Tensor> groupNormForward(const at::Tensor& input, int64_t groups,
                                                                const at::Tensor& weight, const at::Tensor& bias,
                                                                double eps, bool silu) {
  TORCH_CHECK(isOurs(input, groups, weight, bias),
              "group_norm_forward takes channels-last float32, float16 or bfloat16 with weights in float32 or the same");
  const c10::DeviceGuard guard(input.device());
  at::Tensor y = at::empty_like(input, input.options(), at::MemoryFormat::ChannelsLast);
  at::Tensor mean = floats(input, {input.size(0), groups});
  at::Tensor rstd = floats(input, {input.size(0), groups});
  const Work work = *workOf(input, groups, isAligned(input) && isAligned(y), false);
  at::Tensor partial = floats(input, {work.plan.partialFloats});
  GroupNormArgs args = argsOf(work, input, weight, bias);
  args.y = y.mutable_data_ptr();
  args.mean = mean.mutable_data_ptr<float>();
  args.rstd = rstd.mutable_data_ptr<float>();
  args.partial = partial.mutable_data_ptr<float>();
  args.silu = silu ? 1 : 0;
  args.eps = static_cast<float>(eps);
  launchForward(args, work.plan, launcherFor(input, kernelsFor(input, weight, work.vector, false), args));
  return {y, mean, rstd};
}

// -> the gradients of input, weight and bias; undefined where not wanted.
std::tuple<at::Tensor, at::Tensor, at::Tensor> groupNormBackward(const at::Tensor& gradient, const at::Tensor& input,
                                                                 const at::Tensor& mean, const at::Tensor& rstd,
                                                                 const at::Tensor& weight, const at::Tensor& bias,
                                                                 int64_t groups, bool silu,
                                                                 std::array<bool, 3> wanted) {
  TORCH_CHECK(isOurs(input, groups, weight, bias), "group_norm_backward takes what group_norm_forward took");
  TORCH_CHECK(gradient.sizes() == input.sizes() && gradient.device() == input.device(),
              "group_norm_backward: gradient ", gradient.sizes(), ", expected ", input.sizes());
  const c10::DeviceGuard guard(input.device());
  const at::Tensor dy = gradient.to(input.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
  const bool affine = wanted[1] || wanted[2];
  at::Tensor dx, dweight, dbias;
  if (wanted[0]) dx = at::empty_like(input, input.options(), at::MemoryFormat::ChannelsLast);
  if (affine) {
    dweight = at::empty_like(weight);
    dbias = at::empty_like(bias);
  }
  const bool aligned = isAligned(input) && isAligned(dy) && (!dx.defined() || isAligned(dx));
  const Work work = *workOf(input, groups, aligned, true);
  at::Tensor partial = floats(input, {work.plan.partialFloats});
  at::Tensor sums = floats(input, {2 * input.size(0) * input.size(1)});
  at::Tensor averages = floats(input, {2 * input.size(0) * groups});
  GroupNormArgs args = argsOf(work, input, weight, bias);
  args.dy = dy.const_data_ptr();
  args.y = dx.defined() ? dx.mutable_data_ptr() : nullptr;
  args.mean = const_cast<float*>(mean.const_data_ptr<float>()); // only read on the way back
  args.rstd = const_cast<float*>(rstd.const_data_ptr<float>());
  args.partial = partial.mutable_data_ptr<float>();
  args.sums = sums.mutable_data_ptr<float>();
  args.averages = averages.mutable_data_ptr<float>();
  args.dweight = affine ? dweight.mutable_data_ptr() : nullptr;
  args.dbias = affine ? dbias.mutable_data_ptr() : nullptr;
  args.silu = silu ? 1 : 0;
  launchBackward(args, work.plan, launcherFor(input, kernelsFor(input, weight, work.vector, true), args));
  return {dx, wanted[1] ? dweight : at::Tensor(), wanted[2] ? dbias : at::Tensor()};
}

template <class Signature> auto operatorOf(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

class GroupNorm : public torch::autograd::Function<GroupNorm> {
public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& input, int64_t groups,
                            const at::Tensor& weight, const at::Tensor& bias, double eps, bool silu) {
    static const auto op = operatorOf<decltype(groupNormForward)>("invdiff::group_norm_forward");
    const at::AutoDispatchBelowADInplaceOrView below;
    auto [y, mean, rstd] = op.call(input, groups, weight, bias, eps, silu);
    context->save_for_backward({input, weight, bias, mean, rstd});
    context->saved_data["groups"] = groups;
    context->saved_data["silu"] = silu;
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    static const auto op = operatorOf<decltype(groupNormBackward)>("invdiff::group_norm_backward");
    const auto saved = context->get_saved_variables();
    const std::array<bool, 3> wanted = {context->needs_input_grad(0), context->needs_input_grad(1),
                                        context->needs_input_grad(2)};
    auto [dx, dweight, dbias] =
        op.call(gradients[0], saved[0], saved[3], saved[4], saved[1], saved[2], context->saved_data["groups"].toInt(),
                context->saved_data["silu"].toBool(), wanted);
    // One for each argument of forward.
    return {dx, at::Tensor(), dweight, dbias, at::Tensor(), at::Tensor()};
  }
};

at::Tensor groupNorm(const at::Tensor& input, int64_t groups, const at::Tensor& weight, const at::Tensor& bias,
                     double eps, bool silu) {
  if (isOurs(input, groups, weight, bias)) return GroupNorm::apply(input, groups, weight, bias, eps, silu);
  at::Tensor y = at::group_norm(input, groups, weight, bias, eps);
  return silu ? at::silu(y) : y;
}

// Empty where the kernels run on the device, else the reason why not.
std::string kernelProblem(c10::Device device) {
  return device.type() == kDevice ? deviceCodeProblem(device) : "these kernels are for CUDA";
}

} // namespace
} // namespace invdiff

TORCH_LIBRARY(invdiff, library) {
  library.def("group_norm(Tensor input, int num_groups, Tensor weight, Tensor bias, float eps, bool silu) -> Tensor",
              invdiff::groupNorm);
  library.def("group_norm_forward(Tensor input, int num_groups, Tensor weight, Tensor bias, float eps, bool silu)"
              " -> (Tensor, Tensor, Tensor)");
  library.def("group_norm_backward(Tensor gradient, Tensor input, Tensor mean, Tensor rstd, Tensor weight, Tensor bias,"
              " int num_groups, bool silu, bool[3] output_mask) -> (Tensor, Tensor, Tensor)");
  library.def("kernel_problem(Device device) -> str", invdiff::kernelProblem);
}

TORCH_LIBRARY_IMPL(invdiff, INVDIFF_KERNEL_DEVICE, library) {
  library.impl("group_norm_forward", invdiff::groupNormForward);
  library.impl("group_norm_backward", invdiff::groupNormBackward);
}

// A gradient of the gradient is refused instead of left out.
TORCH_LIBRARY_IMPL(invdiff, Autograd, library) {
  library.impl("group_norm_forward", torch::autograd::autogradNotImplementedFallback());
  library.impl("group_norm_backward", torch::autograd::autogradNotImplementedFallback());
}
