// Random generators: made per device, seeded, their state saved and restored.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>

#include "convert.h"
#include "guard.h"

namespace invdiff {

at::Generator& generatorOf(napi_env env, napi_value value) {
  void* data = nullptr;
  if (napi_get_value_external(env, value, &data) != napi_ok) fail("expected a Generator");
  auto* box = static_cast<GeneratorBox*>(data);
  if (box->magic != GeneratorBox::kMagic) fail("expected a Generator, got another native object");
  return box->generator;
}

namespace {

void collectGenerator(node_api_basic_env, void* data, void*) { delete static_cast<GeneratorBox*>(data); }

uint64_t seedOf(napi_env env, napi_value value) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) == napi_ok) return static_cast<uint64_t>(toInt(env, value));
  uint64_t seed = 0;
  bool lossless = false;
  check(napi_get_value_bigint_uint64(env, value, &seed, &lossless), "an integer seed");
  return seed;
}

napi_value boxGenerator(napi_env env, at::Generator generator) {
  auto* box = new GeneratorBox{GeneratorBox::kMagic, std::move(generator)};
  napi_value value;
  napi_create_external(env, box, collectGenerator, nullptr, &value);
  return value;
}

// Before 2.6 there is no general way to make one: a copy of the device's own is started anew.
template <typename Hooks>
at::Generator newGeneratorOf(const Hooks& hooks, at::Device device) {
  if constexpr (requires { hooks.getNewGenerator(device.index()); }) {
    return hooks.getNewGenerator(device.index());
  } else {
    at::Generator copy = at::globalContext().defaultGenerator(device).clone();
    copy.set_current_seed(at::default_rng_seed_val);
    return copy;
  }
}

napi_value newGenerator(const Call& call) {
  at::Device device = deviceOf(toString(call.env, call[0]));
  if (device.is_cpu()) return boxGenerator(call.env, at::detail::createCPUGenerator());
  const auto& hooks = at::globalContext().getAcceleratorHooksInterface(device.type());
  return boxGenerator(call.env, newGeneratorOf(hooks, device));
}

// (device) -> the generator that operators without one draw from
napi_value defaultGenerator(const Call& call) {
  return boxGenerator(call.env, at::globalContext().defaultGenerator(deviceOf(toString(call.env, call[0]))));
}

napi_value seedGenerator(const Call& call) {
  at::Generator& generator = generatorOf(call.env, call[0]);
  std::lock_guard<std::mutex> lock(generator.mutex());
  generator.set_current_seed(seedOf(call.env, call[1]));
  return undefined(call.env);
}

napi_value generatorState(const Call& call) {
  return wrap(envOf(call.env), generatorOf(call.env, call[0]).get_state());
}

napi_value setGeneratorState(const Call& call) {
  generatorOf(call.env, call[0]).set_state(tensorOf(call.env, call[1]));
  return undefined(call.env);
}

napi_value manualSeed(const Call& call) {
  at::manual_seed(seedOf(call.env, call[0]));
  return undefined(call.env);
}

} // namespace

void initRandom(napi_env env, napi_value exports) {
  define<newGenerator>(env, exports, "newGenerator");
  define<defaultGenerator>(env, exports, "defaultGenerator");
  define<seedGenerator>(env, exports, "seedGenerator");
  define<generatorState>(env, exports, "generatorState");
  define<setGeneratorState>(env, exports, "setGeneratorState");
  define<manualSeed>(env, exports, "manualSeed");
}

} // namespace invdiff
