// Devices beside their tensors: properties, memory, streams, events, graphs, pinned memory. Streams are c10's own; the
// rest is asked of the device type's Accelerator (accelerator.h).
#include "accelerator.h"

#include <ATen/Context.h>
#include <ATen/ops/empty.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <array>
#include <chrono>
#include <mutex>

#include "boxes.h"
#include "convert.h"
#include "guard.h"

namespace invdiff {

namespace {

// The processor does everything at once: an event is a moment of its clock.
struct HostEvent final : DeviceEvent {
  std::chrono::steady_clock::time_point time;
  bool recorded = false;
  bool timing;
  explicit HostEvent(bool timing) : timing(timing) {}
  void record(const c10::Stream&) override {
    time = std::chrono::steady_clock::now();
    recorded = true;
  }
  void block(const c10::Stream&) override {}
  void synchronize() override {}
  bool query() override { return true; }
  double elapsedMs(DeviceEvent& since) override {
    auto& earlier = static_cast<HostEvent&>(since);
    if (!timing || !earlier.timing) fail("elapsedMs needs two events made with timing");
    if (!recorded || !earlier.recorded) fail("elapsedMs needs two recorded events");
    return std::chrono::duration<double, std::milli>(time - earlier.time).count();
  }
};

using Registry = std::array<Accelerator*, static_cast<size_t>(c10::DeviceType::COMPILE_TIME_MAX_DEVICE_TYPES)>;

std::mutex registryMutex;

Registry& registry() {
  static Registry accelerators{};
  return accelerators;
}

} // namespace

Accelerator* findAccelerator(c10::DeviceType type) {
  std::lock_guard<std::mutex> lock(registryMutex);
  return registry()[static_cast<size_t>(type)];
}

c10::Device deviceArgument(napi_env env, napi_value value) {
  c10::Device device = deviceOf(toString(env, value));
  if (device.is_cpu()) return c10::Device(c10::kCPU);
  if (device.is_meta()) fail("device 'meta' has no memory and no streams");
  c10::impl::VirtualGuardImpl guard(device.type());
  c10::Device found = device.has_index() ? device : guard.getDevice();
  if (found.index() >= guard.deviceCount())
    fail("there is no device '" + device.str() + "': " + std::to_string(guard.deviceCount()) + " of this kind found");
  return found;
}

void registerAccelerator(Accelerator* accelerator) {
  std::lock_guard<std::mutex> lock(registryMutex);
  registry()[static_cast<size_t>(accelerator->type())] = accelerator;
}

Accelerator& acceleratorOf(c10::Device device) {
  Accelerator* found = findAccelerator(device.type());
  if (!found)
    fail("this build of invdiff's addon knows nothing of the memory, events and graphs of device '" + device.str() +
         "': run `npm run setup` with the libtorch in use");
  return *found;
}

namespace {

// ---- memory ----

napi_value deviceProperties(const Call& call) {
  c10::Device device = deviceArgument(call.env, call[0]);
  DeviceProperties found = acceleratorOf(device).properties(device);
  return fromFields(call.env, {{"name", fromString(call.env, found.name)},
                               {"major", fromInt(call.env, found.major)},
                               {"minor", fromInt(call.env, found.minor)},
                               {"multiprocessors", fromInt(call.env, found.multiprocessors)},
                               {"totalBytes", fromInt(call.env, found.totalBytes)}});
}

napi_value memoryInfo(const Call& call) {
  c10::Device device = deviceArgument(call.env, call[0]);
  MemoryInfo info = acceleratorOf(device).memoryInfo(device);
  return fromFields(call.env, {{"freeBytes", fromInt(call.env, info.freeBytes)},
                               {"totalBytes", fromInt(call.env, info.totalBytes)}});
}

napi_value memoryStats(const Call& call) {
  c10::Device device = deviceArgument(call.env, call[0]);
  MemoryStats stats = acceleratorOf(device).memoryStats(device);
  return fromFields(call.env, {{"allocatedBytes", fromInt(call.env, stats.allocatedBytes)},
                               {"peakAllocatedBytes", fromInt(call.env, stats.peakAllocatedBytes)},
                               {"reservedBytes", fromInt(call.env, stats.reservedBytes)},
                               {"peakReservedBytes", fromInt(call.env, stats.peakReservedBytes)},
                               {"retries", fromInt(call.env, stats.retries)},
                               {"outOfMemories", fromInt(call.env, stats.outOfMemories)}});
}

napi_value resetPeakMemory(const Call& call) {
  c10::Device device = deviceArgument(call.env, call[0]);
  acceleratorOf(device).resetPeakMemory(device);
  return undefined(call.env);
}

napi_value emptyCache(const Call& call) {
  c10::Device device = deviceArgument(call.env, call[0]);
  acceleratorOf(device).emptyCache(device);
  return undefined(call.env);
}

// (shape, dtype, device) -> uninitialised CPU tensor in memory pinned for the device
napi_value emptyPinned(const Call& call) {
  c10::Device device = deviceArgument(call.env, call[2]);
  auto options = at::TensorOptions().dtype(dtypeOf(toString(call.env, call[1])));
  return wrap(envOf(call.env), at::empty(shapeOf(call.env, call[0]), options.pinned_memory(!device.is_cpu())));
}

napi_value isPinned(const Call& call) {
  const at::Tensor& tensor = tensorOf(call.env, call[0]);
  return fromBool(call.env, tensor.is_cpu() && tensor.is_pinned());
}

// ---- streams ----

napi_value synchronizeDevice(const Call& call) {
  c10::Device device = deviceArgument(call.env, call[0]);
  if (!device.is_cpu()) acceleratorOf(device).synchronize(device);
  return undefined(call.env);
}

napi_value currentStream(const Call& call) {
  c10::Device device = deviceArgument(call.env, call[0]);
  return box<StreamBox>(call.env, c10::impl::VirtualGuardImpl(device.type()).getStream(device));
}

// (device, highPriority)
napi_value newStream(const Call& call) {
  c10::Device device = deviceArgument(call.env, call[0]);
  if (device.is_cpu()) return box<StreamBox>(call.env, c10::Stream(c10::Stream::DEFAULT, device));
  c10::impl::VirtualGuardImpl guard(device.type());
  return box<StreamBox>(call.env, guard.getStreamFromGlobalPool(device, toBool(call.env, call[1])));
}

// (stream) -> the one that was current on its device
napi_value exchangeStream(const Call& call) {
  const c10::Stream& stream = unbox<StreamBox>(call.env, call[0]);
  return box<StreamBox>(call.env, c10::impl::VirtualGuardImpl(stream.device_type()).exchangeStream(stream));
}

napi_value streamDevice(const Call& call) {
  c10::Device device = unbox<StreamBox>(call.env, call[0]).device();
  return fromString(call.env, device.is_cpu() ? "cpu" : device.str());
}

napi_value synchronizeStream(const Call& call) {
  const c10::Stream& stream = unbox<StreamBox>(call.env, call[0]);
  c10::impl::VirtualGuardImpl(stream.device_type()).synchronizeStream(stream);
  return undefined(call.env);
}

napi_value queryStream(const Call& call) {
  const c10::Stream& stream = unbox<StreamBox>(call.env, call[0]);
  return fromBool(call.env, c10::impl::VirtualGuardImpl(stream.device_type()).queryStream(stream));
}

// (tensor, stream)
napi_value recordStream(const Call& call) {
  const at::Tensor& tensor = tensorOf(call.env, call[0]);
  const c10::Stream& stream = unbox<StreamBox>(call.env, call[1]);
  if (tensor.is_cpu() || !tensor.has_storage()) return undefined(call.env);
  if (tensor.device() != stream.device())
    fail("recordStream got a tensor on " + tensor.device().str() + " and a stream of " + stream.device().str());
  c10::impl::VirtualGuardImpl(stream.device_type()).recordDataPtrOnStream(tensor.storage().data_ptr(), stream);
  return undefined(call.env);
}

// ---- events ----

// (device, timing)
napi_value newEvent(const Call& call) {
  c10::Device device = deviceArgument(call.env, call[0]);
  bool timing = toBool(call.env, call[1]);
  std::unique_ptr<DeviceEvent> event;
  if (device.is_cpu()) {
    event = std::make_unique<HostEvent>(timing);
  } else {
    event = acceleratorOf(device).newEvent(device, timing);
  }
  return box<EventBox>(call.env, OwnedEvent{device, std::move(event)});
}

OwnedEvent& eventArgument(const Call& call, size_t index) {
  OwnedEvent& event = unbox<EventBox>(call.env, call[index]);
  if (!event.event) fail("an event was used after its release");
  return event;
}

const c10::Stream& streamFor(const Call& call, const OwnedEvent& event) {
  const c10::Stream& stream = unbox<StreamBox>(call.env, call[1]);
  bool same = event.device == stream.device() || (event.device.is_cpu() && stream.device().is_cpu());
  if (!same) fail("an event of " + event.device.str() + " met a stream of " + stream.device().str());
  return stream;
}

napi_value releaseEvent(const Call& call) {
  unbox<EventBox>(call.env, call[0]).event.reset();
  return undefined(call.env);
}

// (event, stream)
napi_value recordEvent(const Call& call) {
  OwnedEvent& event = eventArgument(call, 0);
  event.event->record(streamFor(call, event));
  return undefined(call.env);
}

// (event, stream)
napi_value blockEvent(const Call& call) {
  OwnedEvent& event = eventArgument(call, 0);
  event.event->block(streamFor(call, event));
  return undefined(call.env);
}

napi_value synchronizeEvent(const Call& call) {
  eventArgument(call, 0).event->synchronize();
  return undefined(call.env);
}

napi_value queryEvent(const Call& call) { return fromBool(call.env, eventArgument(call, 0).event->query()); }

// (event, since)
napi_value elapsedMs(const Call& call) {
  OwnedEvent& event = eventArgument(call, 0);
  OwnedEvent& since = eventArgument(call, 1);
  if (event.device != since.device)
    fail("elapsedMs got events of " + event.device.str() + " and " + since.device.str());
  return fromDouble(call.env, event.event->elapsedMs(*since.event));
}

} // namespace

void initAccelerator(napi_env env, napi_value exports) {
  define<deviceProperties>(env, exports, "deviceProperties");
  define<memoryInfo>(env, exports, "memoryInfo");
  define<memoryStats>(env, exports, "memoryStats");
  define<resetPeakMemory>(env, exports, "resetPeakMemory");
  define<emptyCache>(env, exports, "emptyCache");
  define<emptyPinned>(env, exports, "emptyPinned");
  define<isPinned>(env, exports, "isPinned");
  define<synchronizeDevice>(env, exports, "synchronizeDevice");
  define<currentStream>(env, exports, "currentStream");
  define<newStream>(env, exports, "newStream");
  define<exchangeStream>(env, exports, "exchangeStream");
  define<streamDevice>(env, exports, "streamDevice");
  define<synchronizeStream>(env, exports, "synchronizeStream");
  define<queryStream>(env, exports, "queryStream");
  define<recordStream>(env, exports, "recordStream");
  define<newEvent>(env, exports, "newEvent");
  define<releaseEvent>(env, exports, "releaseEvent");
  define<recordEvent>(env, exports, "recordEvent");
  define<blockEvent>(env, exports, "blockEvent");
  define<synchronizeEvent>(env, exports, "synchronizeEvent");
  define<queryEvent>(env, exports, "queryEvent");
  define<elapsedMs>(env, exports, "elapsedMs");
}

} // namespace invdiff
