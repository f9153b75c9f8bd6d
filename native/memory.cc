// What the machine and this libtorch offer: devices, threads, memory, denormals, versions.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/version.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <cstdlib>

#include "guard.h"

namespace invdiff {
namespace {

// glibc returns freed memory to the system, single large blocks at once, and pays for it page by page the next time:
// for Stable Diffusion's networks on two cores 470,000 page faults and 10 % of a U-Net's forward pass, 2,700,000 and a
// quarter of decoding to 512x512. So up to 1 GB stays with the process, and libtorch takes blocks from 2 MB on in huge
// pages (its own switch, c10/core/impl/alloc_cpu.cpp). Keeping larger blocks too would be faster still, but doubles the
// decoder's memory by fragmentation (2.5 GB for 1.2 GB). The user's own settings win.
void keepFreedMemory() {
#if defined(__GLIBC__)
  setenv("THP_MEM_ALLOC_ENABLE", "1", /*overwrite=*/0);
  if (std::getenv("MALLOC_TRIM_THRESHOLD_") || std::getenv("MALLOC_MMAP_THRESHOLD_")) return;
  mallopt(M_MMAP_THRESHOLD, 64 << 20);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

napi_value cudaDeviceCount(const Call& call) {
  return fromInt(call.env, at::hasCUDA() ? c10::impl::VirtualGuardImpl(at::kCUDA).deviceCount() : 0);
}

napi_value getNumThreads(const Call& call) { return fromInt(call.env, at::get_num_threads()); }

napi_value setNumThreads(const Call& call) {
  int64_t threads = toInt(call.env, call[0]);
  if (threads < 1 || threads > 4096) fail("the number of threads must be 1 to 4096, got " + std::to_string(threads));
  at::set_num_threads(static_cast<int>(threads));
  return undefined(call.env);
}

napi_value setFlushDenormal(const Call& call) {
  return fromBool(call.env, at::globalContext().setFlushDenormal(toBool(call.env, call[0])));
}

napi_value version(const Call& call) { return fromString(call.env, TORCH_VERSION); }

napi_value showConfig(const Call& call) {
  return fromString(call.env, at::show_config() + "\n" + at::get_parallel_info());
}

} // namespace

void initMemory(napi_env env, napi_value exports) {
  keepFreedMemory();
  define<cudaDeviceCount>(env, exports, "cudaDeviceCount");
  define<getNumThreads>(env, exports, "getNumThreads");
  define<setNumThreads>(env, exports, "setNumThreads");
  define<setFlushDenormal>(env, exports, "setFlushDenormal");
  define<version>(env, exports, "version");
  define<showConfig>(env, exports, "showConfig");
}

} // namespace invdiff
