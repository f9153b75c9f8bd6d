// CUDA's answers to accelerator.h, from the runtime and libtorch's caching allocator. Only in builds against a libtorch
// with CUDA; only headers that need nothing but CUDA's own, so that hosts without cuBLAS' or cuDNN's headers build it.
#ifdef INVDIFF_CUDA
#include <ATen/Context.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>
#include <c10/core/DeviceGuard.h>
#include <cuda_runtime_api.h>

#include "accelerator.h"
#include "js.h"

namespace invdiff {
namespace {

namespace allocator = c10::cuda::CUDACachingAllocator;

// The name of what makes CUDA's context changed; templates take whichever there is.
template <typename Context>
void startCuda(Context& context) {
  if constexpr (requires { context.lazyInitDevice(at::kCUDA); }) {
    context.lazyInitDevice(at::kCUDA);
  } else {
    context.lazyInitCUDA();
  }
}

class CudaEvent final : public DeviceEvent {
 public:
  CudaEvent(c10::Device device, bool timing) : device_(device), timing_(timing) {
    c10::DeviceGuard guard(device);
    unsigned int flags = timing ? cudaEventDefault : cudaEventDisableTiming;
    C10_CUDA_CHECK(cudaEventCreateWithFlags(&event_, flags));
  }

  ~CudaEvent() override { (void)cudaEventDestroy(event_); }

  void record(const c10::Stream& stream) override {
    c10::DeviceGuard guard(device_);
    C10_CUDA_CHECK(cudaEventRecord(event_, c10::cuda::CUDAStream(stream).stream()));
    recorded_ = true;
  }

  void block(const c10::Stream& stream) override {
    if (!recorded_) return;
    c10::DeviceGuard guard(device_);
    C10_CUDA_CHECK(cudaStreamWaitEvent(c10::cuda::CUDAStream(stream).stream(), event_, 0));
  }

  void synchronize() override {
    if (recorded_) C10_CUDA_CHECK(cudaEventSynchronize(event_));
  }

  bool query() override {
    if (!recorded_) return true;
    cudaError_t status = cudaEventQuery(event_);
    if (status == cudaErrorNotReady) {
      (void)cudaGetLastError(); // not an error, but kept as one
      return false;
    }
    C10_CUDA_CHECK(status);
    return true;
  }

  double elapsedMs(DeviceEvent& since) override {
    auto& earlier = static_cast<CudaEvent&>(since);
    if (!timing_ || !earlier.timing_) fail("elapsedMs needs two events made with timing");
    if (!recorded_ || !earlier.recorded_) fail("elapsedMs needs two recorded events");
    float milliseconds = 0;
    cudaError_t status = cudaEventElapsedTime(&milliseconds, earlier.event_, event_);
    if (status == cudaErrorNotReady) {
      (void)cudaGetLastError();
      fail("elapsedMs needs events that are reached: synchronize() the later one first");
    }
    C10_CUDA_CHECK(status);
    return milliseconds;
  }

 private:
  c10::Device device_;
  bool timing_;
  bool recorded_ = false;
  cudaEvent_t event_ = nullptr;
};

class CudaGraph final : public DeviceGraph {
 public:
  explicit CudaGraph(c10::Device device) : device_(device), pool_(at::cuda::graph_pool_handle()) {
    c10::DeviceGuard guard(device);
    graph_ = std::make_unique<at::cuda::CUDAGraph>();
  }

  // Thread-local: other threads (the autograd engine's, a worker's) may go on calling what a capture forbids.
  void beginCapture() override {
    c10::DeviceGuard guard(device_);
    graph_->capture_begin(pool_, cudaStreamCaptureModeThreadLocal);
  }

  void endCapture() override {
    c10::DeviceGuard guard(device_);
    graph_->capture_end();
  }

  // Where CUDA has already called a capture off, capture_end throws before it has told the allocator and the generator.
  void abandonCapture() override {
    c10::DeviceGuard guard(device_);
    try {
      graph_->capture_end();
      graph_.reset();
    } catch (const c10::Error&) {
      (void)cudaGetLastError();
      freeAllocator();
      freeGenerator();
      // Some versions' allocators may still ask this graph whether a stream belongs to it: it stays, empty.
      (void)graph_.release();
    }
    graph_ = std::make_unique<at::cuda::CUDAGraph>();
    pool_ = at::cuda::graph_pool_handle();
  }

  void replay() override {
    c10::DeviceGuard guard(device_);
    graph_->replay();
  }

 private:
  void freeAllocator() {
    try {
      allocator::endAllocateToPool(device_.index(), pool_);
    } catch (const c10::Error&) { // this version had told it
    }
    try {
      allocator::releasePool(device_.index(), pool_);
    } catch (const c10::Error&) {
    }
  }

  // A generator that was drawn from still believes to be in the capture and refuses every later draw; a copy does not.
  void freeGenerator() {
    const at::Generator& generator = at::globalContext().defaultGenerator(device_);
    at::Generator copy = generator.clone();
    at::Generator(generator).graphsafe_set_state(copy);
  }

  c10::Device device_;
  decltype(at::cuda::graph_pool_handle()) pool_;
  std::unique_ptr<at::cuda::CUDAGraph> graph_;
};

struct CudaAccelerator final : Accelerator {
  c10::DeviceType type() const override { return c10::kCUDA; }

  DeviceProperties properties(c10::Device device) override {
    cudaDeviceProp found;
    C10_CUDA_CHECK(cudaGetDeviceProperties(&found, device.index()));
    return {found.name, found.major, found.minor, found.multiProcessorCount,
            static_cast<int64_t>(found.totalGlobalMem)};
  }

  MemoryInfo memoryInfo(c10::Device device) override {
    c10::DeviceGuard guard(device);
    size_t free = 0, total = 0;
    C10_CUDA_CHECK(cudaMemGetInfo(&free, &total));
    return {static_cast<int64_t>(free), static_cast<int64_t>(total)};
  }

  // The first of each array is the sum over small and large blocks.
  MemoryStats memoryStats(c10::Device device) override {
    startCuda(at::globalContext());
    const auto stats = allocator::getDeviceStats(device.index());
    return {stats.allocated_bytes[0].current, stats.allocated_bytes[0].peak, stats.reserved_bytes[0].current,
            stats.reserved_bytes[0].peak,     stats.num_alloc_retries,       stats.num_ooms};
  }

  void resetPeakMemory(c10::Device device) override {
    startCuda(at::globalContext());
    allocator::resetPeakStats(device.index());
  }

  void emptyCache(c10::Device) override {
    startCuda(at::globalContext());
    allocator::emptyCache();
  }

  void synchronize(c10::Device device) override {
    c10::DeviceGuard guard(device);
    C10_CUDA_CHECK(cudaDeviceSynchronize());
  }

  std::unique_ptr<DeviceEvent> newEvent(c10::Device device, bool timing) override {
    startCuda(at::globalContext());
    return std::make_unique<CudaEvent>(device, timing);
  }

  std::unique_ptr<DeviceGraph> newGraph(c10::Device device) override {
    startCuda(at::globalContext());
    return std::make_unique<CudaGraph>(device);
  }
};

} // namespace

void initCuda() {
  static CudaAccelerator accelerator;
  registerAccelerator(&accelerator);
}

} // namespace invdiff
#endif
