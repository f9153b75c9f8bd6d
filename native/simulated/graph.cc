// Graphs of the simulated device. A capture computes nothing that stays: what kernels wrote is put back at its end, and
// the graph's own memory is made unreadable. A replay runs the recorded kernels on the same memory, and notices an input
// that was freed in between.
#include <cstring>
#include <set>

#include "simulated.h"

namespace simulated {
namespace {

struct Kernel {
  std::string what;
  std::vector<std::shared_ptr<Block>> blocks;
  std::function<void()> run;
};

struct Saved {
  std::shared_ptr<Block> block;
  std::vector<char> bytes;
};

class Graph;
Graph* active = nullptr;
std::set<c10::StreamId> streams; // in the capture

class Graph final : public invdiff::DeviceGraph {
 public:
  ~Graph() override {
    std::lock_guard guard(lock());
    if (active == this) leave();
  }

  void beginCapture() override {
    std::lock_guard guard(lock());
    TORCH_CHECK(!active, "another graph is being captured");
    TORCH_CHECK(currentStream() != 0, "a capture needs a stream of its own, not the default stream");
    TORCH_CHECK(kernels_.empty(), "this graph was captured before");
    active = this;
    streams = {currentStream()};
  }

  void endCapture() override {
    std::lock_guard guard(lock());
    TORCH_CHECK(active == this, "this graph is not being captured");
    leave();
  }

  void abandonCapture() override {
    std::lock_guard guard(lock());
    if (active == this) leave();
    kernels_.clear();
  }

  void replay() override {
    std::lock_guard guard(lock());
    TORCH_CHECK(active != this, "this graph is still being captured");
    refuseInCapture("the replay of a graph");
    for (const Kernel& kernel : kernels_) {
      for (const auto& block : kernel.blocks)
        TORCH_CHECK(block->live || block->ofGraph, "a graph was replayed over memory that was freed: an input of ",
                    kernel.what, " is gone");
    }
    launch("graph", {}, {});
    for (const Kernel& kernel : kernels_) kernel.run();
  }

  void add(Kernel kernel) { kernels_.push_back(std::move(kernel)); }
  void own(const std::shared_ptr<Block>& block) { pool_.push_back(block); }

  void save(const std::shared_ptr<Block>& block) {
    if (block->ofGraph) return;
    for (const Saved& saved : saved_)
      if (saved.block == block) return;
    const char* data = static_cast<const char*>(block->data);
    saved_.push_back({block, std::vector<char>(data, data + block->bytes)});
  }

 private:
  void leave() {
    active = nullptr;
    streams.clear();
    for (const Saved& saved : saved_) std::memcpy(saved.block->data, saved.bytes.data(), saved.bytes.size());
    saved_.clear();
    for (const auto& block : pool_) std::memset(block->data, 0xff, block->bytes);
  }

  std::vector<Kernel> kernels_;
  std::vector<std::shared_ptr<Block>> pool_;
  std::vector<Saved> saved_;
};

} // namespace

bool capturing(c10::StreamId stream) { return active && streams.count(stream) > 0; }

void joinCapture(c10::StreamId stream) { streams.insert(stream); }

void willWrite(const at::Tensor& tensor) {
  if (!capturing()) return;
  if (auto block = blockOf(tensor.storage())) active->save(block);
}

void recordKernel(const std::string& what, const std::vector<at::Tensor>& tensors, std::function<void()> kernel) {
  std::vector<std::shared_ptr<Block>> blocks;
  for (const at::Tensor& tensor : tensors)
    if (auto block = blockOf(tensor.storage())) blocks.push_back(block);
  active->add({what, std::move(blocks), std::move(kernel)});
}

void addToCapture(const std::shared_ptr<Block>& block) {
  block->ofGraph = true;
  active->own(block);
}

std::unique_ptr<invdiff::DeviceGraph> newGraph() { return std::make_unique<Graph>(); }

} // namespace simulated
