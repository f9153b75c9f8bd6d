// Streams and events of the simulated device. Kernels run at once and in order; copies from and to pinned memory are put
// off until somebody waits for them, as a card may be late. Clocks know which stream waited for which, so that a missing
// wait is an error although all runs in order here. Waits of the program are counted.
#include <c10/core/Event.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <deque>
#include <sstream>

#include "simulated.h"

namespace simulated {
namespace {

struct Queue {
  std::deque<std::function<void()>> pending;
  uint64_t enqueued = 0; // pending work of all times
  uint64_t done = 0;
  uint64_t ticks = 0; // launches
  Clock seen;         // how far the others had come when last waited for
};

struct Mark {
  bool recorded = false;
  c10::StreamId stream = 0;
  uint64_t enqueued = 0;
  uint64_t ticks = 0;
  bool captured = false;
  Clock seen;
  double time = 0;
};

std::map<c10::StreamId, Queue>& queues() {
  static auto* all = new std::map<c10::StreamId, Queue>;
  return *all;
}

thread_local c10::StreamId current = 0;
Clock hostSeen;
double now = 0; // milliseconds: one kernel each
int64_t launchCount = 0;
bool waitsForbidden = false;
std::string broken;

std::map<std::string, std::map<std::string, int64_t>>& waitCounts() {
  static auto* counts = new std::map<std::string, std::map<std::string, int64_t>>;
  return *counts;
}

void merge(Clock& into, const Clock& from) {
  for (const auto& [stream, tick] : from) into[stream] = std::max(into[stream], tick);
}

// Does what was put off in the stream, up to the given count.
void flush(c10::StreamId stream, uint64_t upTo) {
  Queue& queue = queues()[stream];
  while (queue.done < upTo && !queue.pending.empty()) {
    auto work = std::move(queue.pending.front());
    queue.pending.pop_front();
    queue.done++;
    work();
  }
}

void flush(c10::StreamId stream) { flush(stream, queues()[stream].enqueued); }

Clock clockOf(c10::StreamId stream) {
  Queue& queue = queues()[stream];
  Clock clock = queue.seen;
  clock[stream] = queue.ticks;
  return clock;
}

void checkBroken() {
  if (broken.empty()) return;
  std::string message;
  message.swap(broken);
  TORCH_CHECK(false, message);
}

void enqueue(c10::StreamId stream, std::function<void()> work) {
  Queue& queue = queues()[stream];
  queue.enqueued++;
  queue.pending.push_back(std::move(work));
}

void noteRead(Block& block, const Access& access) {
  if (!sees(access.stream, block.written))
    hazard(access.what + " on stream " + std::to_string(access.stream) + " reads what " + block.written.what +
           " wrote on stream " + std::to_string(block.written.stream) + " without waiting for it");
  block.read[access.stream] = access;
}

void noteWrite(Block& block, const Access& access) {
  auto check = [&](const Access& before) {
    if (!sees(access.stream, before))
      hazard(access.what + " on stream " + std::to_string(access.stream) + " writes over what " + before.what +
             " on stream " + std::to_string(before.stream) + " may still use");
  };
  check(block.written);
  for (const auto& [stream, before] : block.read) check(before);
  block.read.clear();
  block.written = access;
}

Access note(const std::string& what, const std::vector<at::Tensor>& reads, const std::vector<at::Tensor>& writes) {
  c10::StreamId stream = current;
  Queue& queue = queues()[stream];
  merge(queue.seen, hostSeen);
  Access access{stream, ++queue.ticks, what};
  auto each = [&](const std::vector<at::Tensor>& tensors, void (*noted)(Block&, const Access&)) {
    for (const at::Tensor& tensor : tensors)
      if (onDevice(tensor))
        if (auto block = blockOf(tensor.storage())) noted(*block, access);
  };
  each(reads, noteRead);
  each(writes, noteWrite);
  launchCount++;
  now += 1;
  return access;
}

void recordMark(Mark& mark, c10::StreamId stream) {
  mark.recorded = true;
  mark.stream = stream;
  mark.enqueued = queues()[stream].enqueued;
  mark.ticks = queues()[stream].ticks;
  mark.captured = capturing(stream);
  mark.seen = clockOf(stream);
  mark.time = now;
}

void blockOn(const Mark& mark, c10::StreamId stream) {
  if (!mark.recorded || mark.stream == stream) return;
  if (mark.captured && capturing(mark.stream)) joinCapture(stream);
  merge(queues()[stream].seen, mark.seen);
  enqueue(stream, [from = mark.stream, upTo = mark.enqueued] { flush(from, upTo); });
}

bool reached(const Mark& mark) { return !mark.recorded || queues()[mark.stream].done >= mark.enqueued; }

void waitForMark(const Mark& mark) {
  if (!mark.recorded) return;
  TORCH_CHECK(!capturing(mark.stream), "operation not permitted when stream is capturing: waiting for an event");
  // With work queued behind the mark the device goes on meanwhile: the program waits, the device does not.
  bool dry = queues()[mark.stream].ticks <= mark.ticks;
  if (dry) countWait("event", "synchronize");
  flush(mark.stream, mark.enqueued);
  merge(hostSeen, mark.seen);
  checkBroken();
}

bool queryMark(const Mark& mark) {
  if (reached(mark)) return true;
  flush(mark.stream, mark.enqueued); // reached when asked the next time
  return false;
}

struct Event final : invdiff::DeviceEvent {
  Mark mark;
  void record(const c10::Stream& stream) override {
    std::lock_guard guard(lock());
    recordMark(mark, stream.id());
  }
  void block(const c10::Stream& stream) override {
    std::lock_guard guard(lock());
    blockOn(mark, stream.id());
  }
  void synchronize() override {
    std::lock_guard guard(lock());
    waitForMark(mark);
  }
  bool query() override {
    std::lock_guard guard(lock());
    return queryMark(mark);
  }
  double elapsedMs(DeviceEvent& since) override {
    auto& first = static_cast<Event&>(since);
    TORCH_CHECK(mark.recorded && first.mark.recorded, "both events must be recorded before their time is asked for");
    return mark.time - first.mark.time;
  }
};

constexpr c10::StreamId kPool = 32;

struct Guard final : c10::impl::DeviceGuardImplInterface {
  static Mark& mark(void* event) { return *static_cast<Mark*>(event); }
  c10::DeviceType type() const override { return kType; }
  c10::Device exchangeDevice(c10::Device to) const override {
    setDevice(to);
    return device();
  }
  c10::Device getDevice() const override { return device(); }
  void setDevice(c10::Device to) const override {
    TORCH_CHECK(to.type() == kType && to.index() <= 0, "there is one simulated device, not ", to);
  }
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device) const override { return streamOf(current); }
  c10::Stream getDefaultStream(c10::Device) const override { return streamOf(0); }
  c10::Stream getStreamFromGlobalPool(c10::Device, bool high) const override {
    static std::atomic<c10::StreamId> next{0};
    return streamOf(1 + next++ % kPool + (high ? kPool : 0));
  }
  c10::Stream getNewStream(c10::Device device, int priority) const override {
    return getStreamFromGlobalPool(device, priority < 0);
  }
  c10::Stream exchangeStream(c10::Stream to) const override {
    c10::StreamId before = current;
    current = to.id();
    return streamOf(before);
  }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  void destroyEvent(void* event, c10::DeviceIndex) const noexcept override { delete static_cast<Mark*>(event); }
  void record(void** event, const c10::Stream& stream, c10::DeviceIndex, c10::EventFlag) const override {
    std::lock_guard guard(lock());
    if (!*event) *event = new Mark;
    recordMark(mark(*event), stream.id());
  }
  void block(void* event, const c10::Stream& stream) const override {
    std::lock_guard guard(lock());
    if (event) blockOn(mark(event), stream.id());
  }
  bool queryEvent(void* event) const override {
    std::lock_guard guard(lock());
    return !event || queryMark(mark(event));
  }
  void synchronizeEvent(void* event) const override {
    std::lock_guard guard(lock());
    if (event) waitForMark(mark(event));
  }
  double elapsedTime(void* first, void* second, c10::DeviceIndex) const override {
    return mark(second).time - mark(first).time;
  }
  bool queryStream(const c10::Stream& stream) const override {
    std::lock_guard guard(lock());
    bool idle = queues()[stream.id()].pending.empty();
    flush(stream.id());
    return idle;
  }
  void synchronizeStream(const c10::Stream& stream) const override {
    std::lock_guard guard(lock());
    TORCH_CHECK(!capturing(stream.id()), "operation not permitted when stream is capturing: synchronize");
    countWait("synchronize", "stream");
    flush(stream.id());
    merge(hostSeen, clockOf(stream.id()));
    checkBroken();
  }
  void synchronizeDevice(c10::DeviceIndex) const override { synchronizeAll(); }
  void recordDataPtrOnStream(const c10::DataPtr& data, const c10::Stream& stream) const override {
    std::lock_guard guard(lock());
    if (data.get_context()) (*static_cast<std::shared_ptr<Block>*>(data.get_context()))->recorded.push_back(stream.id());
  }

 private:
  static c10::Stream streamOf(c10::StreamId id) { return c10::Stream(c10::Stream::UNSAFE, device(), id); }
};

C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard);

} // namespace

c10::StreamId currentStream() { return current; }

Access launch(const std::string& what, const std::vector<at::Tensor>& reads, const std::vector<at::Tensor>& writes) {
  flush(current);
  Access access = note(what, reads, writes);
  checkBroken();
  return access;
}

void postpone(const std::string& what, const at::Tensor& target, const at::Tensor& source) {
  note(what, {source}, {target});
  checkBroken();
  // The memory is kept for the copy, as the allocators of host and device memory do for a stream that is recorded.
  // Fresh tensors over it: it may have been made in inference mode, which ended since.
  enqueue(current, [target, source] { hostAlias(target).copy_(hostAlias(source)); });
}

void waitForStream(const std::string& kind, const std::string& what) {
  refuseInCapture(what);
  countWait(kind, what);
  flush(current);
  merge(hostSeen, clockOf(current));
  checkBroken();
}

void synchronizeAll() {
  std::lock_guard guard(lock());
  for (auto& [stream, queue] : queues())
    TORCH_CHECK(!capturing(stream), "operation not permitted when stream is capturing: synchronize");
  countWait("synchronize", "device");
  for (auto& [stream, queue] : queues()) {
    flush(stream);
    merge(hostSeen, clockOf(stream));
  }
  checkBroken();
}

void refuseInCapture(const std::string& what) {
  TORCH_CHECK(!capturing(), "operation not permitted when stream is capturing: ", what);
}

void countWait(const std::string& kind, const std::string& what) {
  TORCH_CHECK(!waitsForbidden || kind == "staged", "the program would wait for the device here: ", kind, " of ", what);
  waitCounts()[kind][what]++;
}

void forbidWaits(bool forbidden) { waitsForbidden = forbidden; }

int64_t waits(const std::string& kind) {
  int64_t sum = 0;
  for (const auto& [name, places] : waitCounts())
    if (kind.empty() || kind == name)
      for (const auto& [place, count] : places) sum += count;
  return sum;
}

std::string waitLines() {
  std::ostringstream text;
  for (const auto& [kind, places] : waitCounts())
    for (const auto& [place, count] : places) text << kind << " " << place << " " << count << "\n";
  return text.str();
}

void resetWaits() { waitCounts().clear(); }
int64_t launches() { return launchCount; }

void hazard(const std::string& message) {
  if (broken.empty()) broken = message;
}

bool sees(c10::StreamId stream, const Access& access) {
  if (access.stream == stream || access.tick == 0) return true;
  auto of = [&](const Clock& clock) {
    auto found = clock.find(access.stream);
    return found == clock.end() ? uint64_t(0) : found->second;
  };
  return of(queues()[stream].seen) >= access.tick || of(hostSeen) >= access.tick;
}

std::unique_ptr<invdiff::DeviceEvent> newEvent() { return std::make_unique<Event>(); }

} // namespace simulated
