// The simulated device: libtorch's PrivateUse1 backend "privateuseone:0", for tests of device code on a host without a
// card. Its kernels are the CPU's, its memory is its own, and it refuses what CUDA refuses. Nothing of it is shipped.
#pragma once
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>
#include <c10/core/Allocator.h>
#include <c10/core/Stream.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "../accelerator.h"

namespace simulated {

constexpr c10::DeviceType kType = c10::DeviceType::PrivateUse1;
inline c10::Device device() { return {kType, 0}; }
inline bool onDevice(const at::Tensor& tensor) { return tensor.defined() && tensor.device().type() == kType; }

// One lock for the device's whole state: kernels run one after the other anyway.
std::recursive_mutex& lock();

// --- memory.cc ------------------------------------------------------------------------------------------------------

// How far each stream had come, by stream: what happened before what.
using Clock = std::map<c10::StreamId, uint64_t>;

struct Access {
  c10::StreamId stream = 0;
  uint64_t tick = 0;
  std::string what;
};

// A piece of device memory. Graphs keep their blocks beyond the tensors'.
struct Block {
  void* data = nullptr;
  size_t bytes = 0;
  bool live = true;           // some tensor's
  bool ofGraph = false;       // made in a capture: lives as long as the graph
  c10::StreamId stream = 0;   // of the allocation
  Access written;             // last
  std::map<c10::StreamId, Access> read;
  std::vector<c10::StreamId> recorded; // by record_stream
  ~Block();
};

c10::Allocator* deviceAllocator();
c10::Allocator* pinnedAllocator();
bool isPinned(const void* data);
// Null for memory of no bytes.
std::shared_ptr<Block> blockOf(const c10::Storage& storage);
c10::Storage newStorage(size_t bytes);

void setMemoryLimit(int64_t bytes);
int64_t memoryLimit();
int64_t bytesHeld();
invdiff::MemoryStats memoryStats();
void resetPeakMemory();
void emptyCache();

// --- streams.cc -----------------------------------------------------------------------------------------------------

c10::StreamId currentStream();

// Starts a kernel on the current stream: what was put off there is done first, and the clock goes on.
Access launch(const std::string& what, const std::vector<at::Tensor>& reads, const std::vector<at::Tensor>& writes);
// Puts a copy between pinned and device memory at the end of the current stream; it is done when somebody waits for it.
void postpone(const std::string& what, const at::Tensor& target, const at::Tensor& source);
// The program waits for the current stream.
void waitForStream(const std::string& kind, const std::string& what);
void synchronizeAll();

// Throws if the current stream is being captured.
void refuseInCapture(const std::string& what);
void countWait(const std::string& kind, const std::string& what);
// A wait throws then, so that whoever waits can be found.
void forbidWaits(bool forbidden);
int64_t waits(const std::string& kind);
std::string waitLines();
void resetWaits();
int64_t launches();
// Reads or writes of one stream that another stream's did not wait for; throws at the next launch.
void hazard(const std::string& message);
// True when `stream` waited for the access.
bool sees(c10::StreamId stream, const Access& access);

std::unique_ptr<invdiff::DeviceEvent> newEvent();

// --- graph.cc -------------------------------------------------------------------------------------------------------

bool capturing(c10::StreamId stream);
inline bool capturing() { return capturing(currentStream()); }
void joinCapture(c10::StreamId stream);
// In a capture: keeps what the memory holds, for kernels do not run then.
void willWrite(const at::Tensor& tensor);
void recordKernel(const std::string& what, const std::vector<at::Tensor>& tensors, std::function<void()> kernel);
void addToCapture(const std::shared_ptr<Block>& block);
std::unique_ptr<invdiff::DeviceGraph> newGraph();

// --- alias.cc -------------------------------------------------------------------------------------------------------

// A CPU tensor over the device tensor's memory; the memory is not kept alive.
at::Tensor hostAlias(const at::Tensor& tensor);
// A device tensor with its own storage, or over `storage`, with the sizes and strides of `like`.
at::Tensor deviceTensor(const at::Tensor& like, const c10::Storage& storage);
// The device's memory takes the CPU storage's bytes.
void copyStorage(const c10::Storage& device, const c10::Storage& host);

// --- fallback.cc ----------------------------------------------------------------------------------------------------

void fallback(const c10::OperatorHandle& op, torch::jit::Stack* stack);

// --- generator.cc ---------------------------------------------------------------------------------------------------

// The CPU generator inside a generator of this device. Throws for another device's, as CUDA does.
at::Generator hostGenerator(const at::Generator& generator);
const at::Generator& defaultGenerator();

} // namespace simulated
