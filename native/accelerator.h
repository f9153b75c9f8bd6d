// What the bridge asks of a device besides operators: properties, memory, events, graphs. Streams need nothing here,
// c10 has them for every device. CUDA's answers are in cuda.cc; a backend in a library of its own brings its answers along
// (library.cc). No operator is named here.
#pragma once
#include <c10/core/Device.h>
#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/util/Exception.h>

#include <cstdint>
#include <memory>
#include <string>

namespace invdiff {

struct DeviceProperties {
  std::string name;
  int major = 0; // compute capability; 0.0 where there is no such thing
  int minor = 0;
  int multiprocessors = 0;
  int64_t totalBytes = 0;
};

struct MemoryInfo {
  int64_t freeBytes = 0; // what the driver would still give, without what the allocator holds
  int64_t totalBytes = 0;
};

struct MemoryStats {
  int64_t allocatedBytes = 0; // in tensors
  int64_t peakAllocatedBytes = 0;
  int64_t reservedBytes = 0; // held by the caching allocator
  int64_t peakReservedBytes = 0;
  int64_t retries = 0; // times the allocator emptied its cache to find room
  int64_t outOfMemories = 0;
};

// A mark in a stream.
struct DeviceEvent {
  virtual ~DeviceEvent() = default;
  virtual void record(const c10::Stream& stream) = 0;
  virtual void block(const c10::Stream& stream) = 0; // the stream goes on when the mark is reached
  virtual void synchronize() = 0;                    // the calling thread does
  virtual bool query() = 0;
  virtual double elapsedMs(DeviceEvent& since) = 0; // both with timing and reached
};

// A sequence of kernels, captured once from the current stream and replayed on the same memory.
struct DeviceGraph {
  virtual ~DeviceGraph() = default;
  virtual void beginCapture() = 0;
  virtual void endCapture() = 0;
  // Ends a capture that failed, as far as it goes: nothing of it is kept. Also called after a failed endCapture.
  virtual void abandonCapture() { endCapture(); }
  virtual void replay() = 0;
};

// libtorch's own way, which it has from 2.6 on.
template <typename Guard>
void synchronizeByGuard(const Guard& guard, c10::Device device) {
  if constexpr (requires { guard.synchronizeDevice(device.index()); }) {
    guard.synchronizeDevice(device.index());
  } else {
    TORCH_CHECK(false, "this libtorch cannot wait for ", device);
  }
}

struct Accelerator {
  virtual ~Accelerator() = default;
  virtual c10::DeviceType type() const = 0;
  virtual DeviceProperties properties(c10::Device device) = 0;
  virtual MemoryInfo memoryInfo(c10::Device device) = 0;
  virtual MemoryStats memoryStats(c10::Device device) = 0;
  virtual void resetPeakMemory(c10::Device device) = 0;
  virtual void emptyCache(c10::Device device) = 0;
  // Waits for all that the device was given.
  virtual void synchronize(c10::Device device) {
    synchronizeByGuard(c10::impl::VirtualGuardImpl(device.type()), device);
  }
  virtual std::unique_ptr<DeviceEvent> newEvent(c10::Device device, bool timing) = 0;
  virtual std::unique_ptr<DeviceGraph> newGraph(c10::Device device) = 0;
};

// One per device type and process; the last one registered counts.
void registerAccelerator(Accelerator* accelerator);
// Fails with a sentence when this build has none for the type.
Accelerator& acceleratorOf(c10::Device device);

} // namespace invdiff
