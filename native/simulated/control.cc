// What the bridge and the tests ask of the simulated device: the accelerator's interface, and operators of the name space
// "simulated" for counts and limits.
#include <torch/library.h>

#include "simulated.h"

namespace simulated {
namespace {

struct Accelerator final : invdiff::Accelerator {
  c10::DeviceType type() const override { return kType; }
  invdiff::DeviceProperties properties(c10::Device) override {
    return {"simulated device", /*major=*/0, /*minor=*/0, /*multiprocessors=*/1, memoryLimit()};
  }
  invdiff::MemoryInfo memoryInfo(c10::Device) override {
    invdiff::MemoryStats stats = memoryStats();
    return {memoryLimit() - stats.reservedBytes, memoryLimit()};
  }
  invdiff::MemoryStats memoryStats(c10::Device) override { return simulated::memoryStats(); }
  void resetPeakMemory(c10::Device) override { simulated::resetPeakMemory(); }
  void emptyCache(c10::Device) override { simulated::emptyCache(); }
  void synchronize(c10::Device) override { synchronizeAll(); }
  std::unique_ptr<invdiff::DeviceEvent> newEvent(c10::Device, bool) override { return simulated::newEvent(); }
  std::unique_ptr<invdiff::DeviceGraph> newGraph(c10::Device) override { return simulated::newGraph(); }

 private:
  static invdiff::MemoryStats memoryStats() { return simulated::memoryStats(); }
};

template <typename F>
auto locked(F read) {
  std::lock_guard guard(lock());
  return read();
}

TORCH_LIBRARY(simulated, library) {
  library.def("waits(str kind) -> int", [](std::string kind) { return locked([&] { return waits(kind); }); });
  library.def("wait_lines() -> str", [] { return locked(waitLines); });
  library.def("reset_waits() -> ()", [] { locked(resetWaits); });
  library.def("forbid_waits(bool forbidden) -> ()", [](bool forbidden) { locked([&] { forbidWaits(forbidden); }); });
  library.def("launches() -> int", [] { return locked(launches); });
  library.def("memory_limit() -> int", [] { return locked(memoryLimit); });
  library.def("set_memory_limit(int bytes) -> ()", [](int64_t bytes) { locked([&] { setMemoryLimit(bytes); }); });
}

} // namespace
} // namespace simulated

extern "C" invdiff::Accelerator* invdiff_accelerator() {
  static simulated::Accelerator accelerator;
  return &accelerator;
}
