// Device memory seen by the CPU's kernels, and their results brought into device memory.
#include <ATen/EmptyTensor.h>
#include <c10/core/TensorImpl.h>

#include <cstring>

#include "simulated.h"

namespace simulated {
namespace {

// Keeps offset and strides as they are, so that a result's layout is exactly the CPU's.
void shapeLike(const at::Tensor& tensor, const at::Tensor& like) {
  c10::TensorImpl* impl = tensor.unsafeGetTensorImpl();
  impl->set_storage_offset(like.storage_offset());
  impl->set_sizes_and_strides(like.sizes(), like.strides());
}

} // namespace

at::Tensor hostAlias(const at::Tensor& tensor) {
  TORCH_CHECK(!tensor.is_conj() && !tensor.is_neg(), "the simulated device has no lazy conjugates");
  const c10::Storage& storage = tensor.storage();
  c10::DataPtr data(storage.data_ptr().get(), c10::Device(c10::kCPU));
  c10::Storage host(c10::Storage::use_byte_size_t(), storage.nbytes(), std::move(data),
                    c10::GetAllocator(c10::kCPU), /*resizable=*/true);
  auto alias = at::detail::make_tensor<c10::TensorImpl>(std::move(host), c10::DispatchKeySet(c10::DispatchKey::CPU),
                                                        tensor.dtype());
  shapeLike(alias, tensor);
  return alias;
}

at::Tensor deviceTensor(const at::Tensor& like, const c10::Storage& storage) {
  auto tensor = at::detail::make_tensor<c10::TensorImpl>(
      c10::Storage(storage), c10::DispatchKeySet(c10::DispatchKey::PrivateUse1), like.dtype());
  shapeLike(tensor, like);
  return tensor;
}

void copyStorage(const c10::Storage& device, const c10::Storage& host) {
  TORCH_CHECK(device.nbytes() >= host.nbytes(), "a kernel gave ", host.nbytes(), " bytes, expected ", device.nbytes());
  if (host.nbytes()) std::memcpy(device.mutable_data(), host.data(), host.nbytes());
}

} // namespace simulated
