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

napi_value newGenerator(const Call& call) {
  at::Device device = deviceOf(toString(call.env, call[0]));
  auto* box = new GeneratorBox;
  box->generator = device.is_cpu()
      ? at::detail::createCPUGenerator()
      : at::globalContext().getAcceleratorHooksInterface(device.type()).getNewGenerator(device.index());
  napi_value value;
  napi_create_external(call.env, box, collectGenerator, nullptr, &value);
  return value;
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
  define<seedGenerator>(env, exports, "seedGenerator");
  define<generatorState>(env, exports, "generatorState");
  define<setGeneratorState>(env, exports, "setGeneratorState");
  define<manualSeed>(env, exports, "manualSeed");
}

} // namespace invdiff
