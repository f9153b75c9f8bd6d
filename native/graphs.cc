// Graphs: captured once, replayed on the same memory. Only one capture at a time and process, as CUDA has it.
#include <ATen/autocast_mode.h>

#include <mutex>

#include "boxes.h"
#include "guard.h"

namespace invdiff {
namespace {

// A graph's memory is freed with it, which must not happen while another is captured: the collector may come at any moment.
std::mutex graveMutex;
std::vector<std::unique_ptr<DeviceGraph>> graves;
bool capturing = false;

// Weights that autocast has cast already would be read by every replay as they were; casts made in the capture have no
// values outside of it.
void startCapture() {
  std::lock_guard<std::mutex> lock(graveMutex);
  if (capturing) fail("another graph is being captured: one capture at a time");
  capturing = true;
  at::autocast::clear_cache();
}

void finishCapture() {
  at::autocast::clear_cache();
  std::vector<std::unique_ptr<DeviceGraph>> dead;
  std::lock_guard<std::mutex> lock(graveMutex);
  capturing = false;
  dead.swap(graves);
}

DeviceGraph& graphArgument(const Call& call) {
  OwnedGraph& graph = unbox<GraphBox>(call.env, call[0]);
  if (!graph.graph) fail("a graph was used after its release");
  return *graph.graph;
}

napi_value supportsGraphs(const Call& call) {
  c10::Device device = deviceArgument(call.env, call[0]);
  return fromBool(call.env, !device.is_cpu() && findAccelerator(device.type()) != nullptr);
}

napi_value newGraph(const Call& call) {
  c10::Device device = deviceArgument(call.env, call[0]);
  return box<GraphBox>(call.env, OwnedGraph{device, acceleratorOf(device).newGraph(device)});
}

napi_value releaseGraph(const Call& call) {
  bury(std::move(unbox<GraphBox>(call.env, call[0]).graph));
  return undefined(call.env);
}

// Its own failures say nothing new.
void abandon(DeviceGraph& graph) {
  try {
    graph.abandonCapture();
  } catch (const std::exception&) {
  }
  finishCapture();
}

// The work that the current stream gets from here on is kept instead of done.
napi_value beginCapture(const Call& call) {
  DeviceGraph& graph = graphArgument(call);
  startCapture();
  try {
    graph.beginCapture();
  } catch (...) {
    abandon(graph);
    throw;
  }
  return undefined(call.env);
}

napi_value endCapture(const Call& call) {
  graphArgument(call).endCapture();
  finishCapture();
  return undefined(call.env);
}

// Ends a capture of which nothing is kept.
napi_value abandonCapture(const Call& call) {
  abandon(graphArgument(call));
  return undefined(call.env);
}

napi_value replayGraph(const Call& call) {
  graphArgument(call).replay();
  return undefined(call.env);
}

} // namespace

void bury(std::unique_ptr<DeviceGraph> graph) {
  if (!graph) return;
  std::lock_guard<std::mutex> lock(graveMutex);
  if (capturing) graves.push_back(std::move(graph));
}

void initGraphs(napi_env env, napi_value exports) {
  define<supportsGraphs>(env, exports, "supportsGraphs");
  define<newGraph>(env, exports, "newGraph");
  define<releaseGraph>(env, exports, "releaseGraph");
  define<beginCapture>(env, exports, "beginCapture");
  define<endCapture>(env, exports, "endCapture");
  define<abandonCapture>(env, exports, "abandonCapture");
  define<replayGraph>(env, exports, "replayGraph");
}

} // namespace invdiff
