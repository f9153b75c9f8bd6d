// Native objects that JavaScript holds besides tensors: streams, events, graphs. A box is freed by the collector; what
// it holds may be released before.
#pragma once
#include "accelerator.h"
#include "env.h"
#include "js.h"

namespace invdiff {

template <typename T, uint32_t Magic>
struct Box {
  static constexpr uint32_t kMagic = Magic;
  using Value = T;
  uint32_t magic = Magic;
  T value;
};

struct OwnedEvent {
  c10::Device device;
  std::unique_ptr<DeviceEvent> event; // null after its release
};

struct OwnedGraph {
  c10::Device device;
  std::unique_ptr<DeviceGraph> graph; // null after its release
};

using StreamBox = Box<c10::Stream, 0x7e45a0b3>;
using EventBox = Box<OwnedEvent, 0x7e45a0b4>;
using GraphBox = Box<OwnedGraph, 0x7e45a0b5>;

inline const char* nameOf(const StreamBox*) { return "a Stream"; }
inline const char* nameOf(const EventBox*) { return "a DeviceEvent"; }
inline const char* nameOf(const GraphBox*) { return "a DeviceGraph"; }

// What must not be destroyed while a graph is captured waits for the end of the capture.
void bury(std::unique_ptr<DeviceGraph> graph);
inline void retire(c10::Stream&) {}
inline void retire(OwnedEvent& event) { event.event.reset(); }
inline void retire(OwnedGraph& graph) { bury(std::move(graph.graph)); }

template <typename B>
void collectBox(node_api_basic_env, void* data, void*) {
  auto* box = static_cast<B*>(data);
  retire(box->value);
  delete box;
}

template <typename B>
napi_value box(napi_env env, typename B::Value value) {
  auto* made = new B{B::kMagic, std::move(value)};
  napi_value external;
  if (napi_create_external(env, made, collectBox<B>, nullptr, &external) != napi_ok) {
    delete made;
    fail(std::string("the JavaScript engine could not take ") + nameOf(static_cast<B*>(nullptr)));
  }
  return external;
}

template <typename B>
typename B::Value& unbox(napi_env env, napi_value value) {
  void* data = nullptr;
  const char* expected = nameOf(static_cast<B*>(nullptr));
  if (napi_get_value_external(env, value, &data) != napi_ok) fail(std::string("expected ") + expected);
  auto* box = static_cast<B*>(data);
  if (box->magic != B::kMagic) fail(std::string("expected ") + expected + ", got another native object");
  return box->value;
}

// The device that an argument names, with its number, and there: "cuda" is this thread's current one.
c10::Device deviceArgument(napi_env env, napi_value value);
// The type's Accelerator, or null when this process has none.
Accelerator* findAccelerator(c10::DeviceType type);

} // namespace invdiff
