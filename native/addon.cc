// The module: per-environment state and the list of what it exports.
#include "guard.h"

namespace invdiff {

void initDispatch(napi_env, napi_value);
void initTensor(napi_env, napi_value);
void initAutograd(napi_env, napi_value);
void initRandom(napi_env, napi_value);
void initMemory(napi_env, napi_value);
void initLibrary(napi_env, napi_value);
void initAccelerator(napi_env, napi_value);
void initGraphs(napi_env, napi_value);
void initPrecision(napi_env, napi_value);
void initCuda();

Env& envOf(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return *static_cast<Env*>(data);
}

namespace {

// Tensors may be collected after this: the last box frees the state then.
void closeEnv(napi_env, void* data, void*) {
  auto* env = static_cast<Env*>(data);
  env->closed = true;
  if (env->boxes == 0) delete env;
}

napi_value setErrorFactory(const Call& call) {
  Env& env = envOf(call.env);
  if (env.makeError) napi_delete_reference(call.env, env.makeError);
  napi_create_reference(call.env, call[0], 1, &env.makeError);
  return undefined(call.env);
}

} // namespace
} // namespace invdiff

NAPI_MODULE_INIT() {
  auto* state = new invdiff::Env;
  state->env = env;
  napi_set_instance_data(env, state, invdiff::closeEnv, nullptr);
  invdiff::define<invdiff::setErrorFactory>(env, exports, "setErrorFactory");
  invdiff::initDispatch(env, exports);
  invdiff::initTensor(env, exports);
  invdiff::initAutograd(env, exports);
  invdiff::initRandom(env, exports);
  invdiff::initMemory(env, exports);
  invdiff::initLibrary(env, exports);
  invdiff::initAccelerator(env, exports);
  invdiff::initGraphs(env, exports);
  invdiff::initPrecision(env, exports);
#ifdef INVDIFF_CUDA
  invdiff::initCuda();
#endif
  return exports;
}
