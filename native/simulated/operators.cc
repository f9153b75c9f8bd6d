// The operators that a device has of its own: memory, views, copies, numbers. The boxed fallback does all others, also
// where libtorch could compose one from others but the CPU has a kernel: then the numbers are the CPU's to the bit.
#include <ATen/EmptyTensor.h>
#include <ATen/native/transformers/attention.h>
#include <ATen/ops/_fused_sdp_choice.h>
#include <ATen/ops/_local_scalar_dense.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_native.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <cstring>

#include "simulated.h"

namespace simulated {
namespace {

constexpr c10::DispatchKeySet kKeys(c10::DispatchKey::PrivateUse1);

at::Tensor empty(at::IntArrayRef size, std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
                 std::optional<at::Device>, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, deviceAllocator(), kKeys, dtype.value_or(at::kFloat), format);
}

at::Tensor emptyStrided(at::IntArrayRef size, at::IntArrayRef stride, std::optional<at::ScalarType> dtype,
                        std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, deviceAllocator(), kKeys, dtype.value_or(at::kFloat));
}

at::Tensor zeros(at::IntArrayRef size, std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
                 std::optional<at::Device>, std::optional<bool>) {
  return at::zeros(size, at::TensorOptions().dtype(dtype).device(device()));
}

void ensureBytes(c10::StorageImpl* storage, size_t bytes) {
  if (storage->nbytes() >= bytes) return;
  c10::Storage larger = newStorage(bytes);
  if (storage->nbytes()) std::memcpy(larger.mutable_data(), storage->data(), storage->nbytes());
  storage->set_nbytes(bytes);
  storage->set_data_ptr_noswap(larger.set_data_ptr(c10::DataPtr(nullptr, device())));
}

const at::Tensor& resize(const at::Tensor& self, at::IntArrayRef size, std::optional<at::MemoryFormat> format) {
  c10::TensorImpl* impl = self.unsafeGetTensorImpl();
  impl->set_sizes_contiguous(size);
  if (format && *format != at::MemoryFormat::Preserve) impl->empty_tensor_restride(*format);
  size_t bytes = at::detail::computeStorageNbytes(impl->sizes(), impl->strides(), impl->itemsize(),
                                                  static_cast<size_t>(impl->storage_offset()));
  ensureBytes(self.storage().unsafeGetStorageImpl(), bytes);
  return self;
}

at::Tensor& setStorage(at::Tensor& self, at::Storage source, int64_t offset, at::IntArrayRef size,
                       at::IntArrayRef stride) {
  c10::TensorImpl* impl = self.unsafeGetTensorImpl();
  impl->set_storage_keep_dtype(std::move(source));
  impl->set_storage_offset(offset);
  if (stride.empty()) {
    impl->set_sizes_contiguous(size);
  } else {
    impl->set_sizes_and_strides(size, stride);
  }
  return self;
}

// One piece of memory moves: no conversion, and the same order of elements.
bool moves(const at::Tensor& to, const at::Tensor& from) {
  return to.scalar_type() == from.scalar_type() && to.sizes() == from.sizes() &&
      ((to.is_contiguous() && from.is_contiguous()) ||
       (to.strides() == from.strides() && to.is_non_overlapping_and_dense()));
}

void copyNow(const at::Tensor& to, const at::Tensor& from) {
  at::AutoDispatchBelowADInplaceOrView below;
  (onDevice(to) ? hostAlias(to) : to).copy_(onDevice(from) ? hostAlias(from) : from);
}

const char* directionOf(const at::Tensor& to, const at::Tensor& from) {
  return !onDevice(to) ? "read" : onDevice(from) ? "copy" : "write";
}

at::Tensor& copy(at::Tensor& self, const at::Tensor& source, bool nonBlocking) {
  std::lock_guard guard(lock());
  const at::Tensor& host = onDevice(self) ? source : self;
  const std::string direction = directionOf(self, source);
  if (direction != "copy") {
    TORCH_CHECK(host.is_cpu(), "the simulated device copies from and to the CPU only, not ", host.device());
    bool pinned = nonBlocking && moves(self, source) && isPinned(host.storage().data());
    if (pinned && !capturing()) {
      postpone("aten::copy_", self, source);
      return self;
    }
    // From ordinary memory a copy that need not wait is staged by the driver, but no graph takes it.
    if (!pinned && nonBlocking && direction == "write") {
      refuseInCapture("a copy from host memory that is not pinned");
      countWait("staged", "aten::copy_");
    } else if (!pinned) {
      waitForStream(direction, "aten::copy_");
    }
  }
  launch("aten::copy_", {source}, {self});
  if (onDevice(self)) willWrite(self);
  if (!capturing()) {
    copyNow(self, source);
    return self;
  }
  // Aliases do not keep the device's memory; the pinned side is kept, as its allocator would.
  at::Tensor to = onDevice(self) ? hostAlias(self) : self;
  at::Tensor from = onDevice(source) ? hostAlias(source) : source;
  std::vector<at::Tensor> tensors;
  for (const at::Tensor& tensor : {self, source})
    if (onDevice(tensor)) tensors.push_back(tensor);
  if (onDevice(self)) copyNow(self, source);
  recordKernel("aten::copy_", tensors, [to, from] {
    at::AutoDispatchBelowADInplaceOrView below;
    at::Tensor target = to;
    target.copy_(from);
  });
  return self;
}

at::Tensor copyFrom(const at::Tensor& source, const at::Tensor& target, bool nonBlocking) {
  at::Tensor to = target;
  return copy(to, source, nonBlocking);
}

at::Scalar localScalar(const at::Tensor& self) {
  std::lock_guard guard(lock());
  waitForStream("read", "aten::_local_scalar_dense");
  return at::_local_scalar_dense(hostAlias(self));
}

void recordStream(at::Tensor& self, at::Stream stream) {
  std::lock_guard guard(lock());
  if (auto block = blockOf(self.storage())) block->recorded.push_back(stream.id());
}

// Attention takes the kernel that the CPU would choose.
int64_t attentionKernel(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                        const std::optional<at::Tensor>& mask, double dropout, bool causal,
                        std::optional<double> scale, bool grouped) {
  auto alias = [](const at::Tensor& tensor) {
    at::Tensor host = hostAlias(tensor);
    return host.set_requires_grad(tensor.requires_grad());
  };
  std::optional<at::Tensor> hostMask;
  if (mask && mask->defined()) hostMask = onDevice(*mask) ? alias(*mask) : *mask;
  return at::_fused_sdp_choice(alias(query), alias(key), alias(value), hostMask, dropout, causal, scale, grouped);
}

void boxedFallback(const c10::OperatorHandle& op, torch::jit::Stack* stack) { fallback(op, stack); }

// libtorch would compose these although the CPU has one kernel for the whole.
void takeKernelsOfCPU(torch::Library& library) {
  using Key = c10::DispatchKey;
  c10::Dispatcher& dispatcher = c10::Dispatcher::singleton();
  for (const c10::OperatorName& name : dispatcher.getAllOpNames()) {
    auto op = dispatcher.findOp(name);
    if (!op || !op->hasSchema() || name.name.rfind("aten::", 0) != 0) continue;
    if (!op->hasKernelForDispatchKey(Key::CPU) || op->hasKernelForDispatchKey(Key::PrivateUse1)) continue;
    std::string full = name.name.substr(6) + (name.overload_name.empty() ? "" : "." + name.overload_name);
    library.impl(full.c_str(), torch::CppFunction::makeFromBoxedFunction<&boxedFallback>());
  }
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&boxedFallback>());
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("empty.memory_format", empty);
  library.impl("empty_strided", emptyStrided);
  library.impl("_efficientzerotensor", zeros);
  library.impl("resize_", resize);
  library.impl("set_.source_Storage_storage_offset", setStorage);
  library.impl("copy_", copy);
  library.impl("_copy_from", copyFrom);
  library.impl("_local_scalar_dense", localScalar);
  library.impl("record_stream", recordStream);
  library.impl("as_strided", at::native::as_strided_tensorimpl);
  library.impl("view", static_cast<at::Tensor (*)(const at::Tensor&, at::IntArrayRef)>(at::native::view));
  library.impl("_reshape_alias", at::native::_reshape_alias);
  library.impl("unfold", at::native::unfold);
  for (const char* name : {"convolution", "convolution_backward"})
    library.impl(name, torch::CppFunction::makeFromBoxedFunction<&boxedFallback>());
  takeKernelsOfCPU(library);
}

} // namespace
} // namespace simulated

namespace at::native {
REGISTER_PRIVATEUSE1_DISPATCH(_fused_sdp_choice_stub, &simulated::attentionKernel)
} // namespace at::native
