// Memory of the simulated device: blocks with an owner, counts as a caching allocator keeps them, a limit, and pinned
// host memory.
#include <c10/util/Exception.h>

#include <cstdlib>
#include <cstring>
#include <iomanip>
#include <sstream>

#include "simulated.h"

namespace simulated {

std::recursive_mutex& lock() {
  static auto* mutex = new std::recursive_mutex;
  return *mutex;
}

namespace {

constexpr size_t kRounding = 512; // CUDA's caching allocator hands out multiples of it
// Bytes of the device; a child process is given another number by its environment.
int64_t limit = [] {
  const char* given = std::getenv("INVDIFF_SIMULATED_MEMORY");
  return given ? std::atoll(given) : int64_t(8) << 30;
}();
int64_t held = 0; // in blocks, graphs' among them
invdiff::MemoryStats stats;

std::string sized(int64_t bytes) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(2);
  if (bytes >= (1 << 30)) text << bytes / 1073741824.0 << " GiB";
  else if (bytes >= (1 << 20)) text << bytes / 1048576.0 << " MiB";
  else if (bytes >= (1 << 10)) text << bytes / 1024.0 << " KiB";
  else text << bytes << " bytes";
  return text.str();
}

[[noreturn]] void outOfMemory(int64_t bytes) {
  stats.outOfMemories++;
  TORCH_CHECK_WITH(OutOfMemoryError, false, "privateuseone out of memory. Tried to allocate ", sized(bytes),
                   ". GPU 0 has a total capacity of ", sized(limit), " of which ", sized(limit - held),
                   " is free. Of the allocated memory ", sized(stats.allocatedBytes),
                   " is allocated by PyTorch, and ", sized(held - stats.allocatedBytes),
                   " is reserved by PyTorch but unallocated.");
  std::abort();
}

void makeRoom(int64_t bytes) {
  if (stats.reservedBytes + bytes > limit && stats.reservedBytes > held) {
    stats.retries++;
    stats.reservedBytes = held;
  }
  if (held + bytes > limit) outOfMemory(bytes);
}

// The caching allocator would hand this memory out again for the stream it was made on.
void checkFreed(const Block& block) {
  if (block.ofGraph) return;
  auto check = [&](const Access& access) {
    if (access.stream == block.stream || sees(block.stream, access)) return;
    for (c10::StreamId stream : block.recorded)
      if (stream == access.stream) return;
    hazard("memory of stream " + std::to_string(block.stream) + " was freed while stream " +
           std::to_string(access.stream) + " may still use it (" + access.what + "): recordStream is missing");
  };
  check(block.written);
  for (const auto& [stream, access] : block.read) check(access);
}

void freeBlock(void* context) {
  std::lock_guard guard(lock());
  auto* owner = static_cast<std::shared_ptr<Block>*>(context);
  Block& block = **owner;
  block.live = false;
  stats.allocatedBytes -= static_cast<int64_t>(block.bytes);
  checkFreed(block);
  delete owner;
}

struct DeviceAllocator final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) return {nullptr, device()};
    std::lock_guard guard(lock());
    size_t rounded = (bytes + kRounding - 1) / kRounding * kRounding;
    makeRoom(static_cast<int64_t>(rounded));
    auto block = std::make_shared<Block>();
    block->bytes = rounded;
    block->data = std::aligned_alloc(64, rounded);
    TORCH_CHECK(block->data, "the host has no memory left for the simulated device");
    held += static_cast<int64_t>(rounded);
    std::memset(block->data, 0xff, rounded); // NaN and -1: nobody may read what nobody wrote
    block->stream = currentStream();
    block->written.stream = block->stream;
    stats.allocatedBytes += static_cast<int64_t>(rounded);
    stats.peakAllocatedBytes = std::max(stats.peakAllocatedBytes, stats.allocatedBytes);
    stats.reservedBytes = std::max(stats.reservedBytes, held);
    stats.peakReservedBytes = std::max(stats.peakReservedBytes, stats.reservedBytes);
    if (capturing()) addToCapture(block);
    void* data = block->data;
    return {data, new std::shared_ptr<Block>(std::move(block)), freeBlock, device()};
  }
  c10::DeleterFnPtr raw_deleter() const override { return nullptr; }
  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }
};

std::map<const char*, size_t>& pinnedPieces() {
  static auto* pieces = new std::map<const char*, size_t>;
  return *pieces;
}

void freePinned(void* data) {
  std::lock_guard guard(lock());
  pinnedPieces().erase(static_cast<const char*>(data));
  std::free(data);
}

struct PinnedAllocator final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    std::lock_guard guard(lock());
    refuseInCapture("pinned memory");
    void* data = std::aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
    pinnedPieces()[static_cast<const char*>(data)] = bytes;
    return {data, data, freePinned, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return freePinned; }
  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }
};

DeviceAllocator theAllocator;
PinnedAllocator thePinnedAllocator;
REGISTER_ALLOCATOR(kType, &theAllocator);

} // namespace

Block::~Block() {
  std::free(data);
  held -= static_cast<int64_t>(bytes);
}

c10::Allocator* deviceAllocator() { return &theAllocator; }
c10::Allocator* pinnedAllocator() { return &thePinnedAllocator; }

bool isPinned(const void* data) {
  std::lock_guard guard(lock());
  const char* address = static_cast<const char*>(data);
  auto next = pinnedPieces().upper_bound(address);
  if (next == pinnedPieces().begin()) return false;
  --next;
  return address <= next->first + next->second;
}

std::shared_ptr<Block> blockOf(const c10::Storage& storage) {
  const c10::DataPtr& data = storage.data_ptr();
  if (data.get_deleter() != freeBlock) return nullptr;
  return *static_cast<std::shared_ptr<Block>*>(data.get_context());
}

c10::Storage newStorage(size_t bytes) {
  return c10::Storage(c10::Storage::use_byte_size_t(), bytes, deviceAllocator(), /*resizable=*/true);
}

void setMemoryLimit(int64_t bytes) { limit = bytes; }
int64_t memoryLimit() { return limit; }
int64_t bytesHeld() { return held; }
invdiff::MemoryStats memoryStats() { return stats; }

void resetPeakMemory() {
  stats.peakAllocatedBytes = stats.allocatedBytes;
  stats.peakReservedBytes = stats.reservedBytes;
}

void emptyCache() { stats.reservedBytes = held; }

} // namespace simulated
