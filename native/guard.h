// The one exception boundary: every exported function runs inside it, and no C++ exception leaves it.
#pragma once
#include <c10/util/Exception.h>

#include "env.h"
#include "js.h"

namespace invdiff {

constexpr size_t kMaxArguments = 48;

struct Call {
  napi_env env;
  size_t count;
  napi_value* args;
  napi_value operator[](size_t index) const { return index < count ? args[index] : undefined(env); }
};

// Operator, shapes and dtypes of the failed call, if it was an operator call; empty otherwise.
std::string describeCall(const Call& call);

inline void raise(const Call& call, const char* kind, const std::string& message) {
  napi_env env = call.env;
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (pending) return;
  napi_value factory = nullptr;
  Env& state = envOf(env);
  if (state.makeError) napi_get_reference_value(env, state.makeError, &factory);
  if (!factory) {
    napi_throw_error(env, kind, message.c_str());
    return;
  }
  napi_value arguments[] = {fromString(env, kind), fromString(env, message)};
  napi_value error = nullptr;
  if (napi_call_function(env, undefined(env), factory, 2, arguments, &error) == napi_ok) napi_throw(env, error);
}

template <napi_value (*Function)(const Call&), bool Describe = false>
napi_value guarded(napi_env env, napi_callback_info info) {
  napi_value values[kMaxArguments];
  Call call{env, kMaxArguments, values};
  napi_get_cb_info(env, info, &call.count, values, nullptr, nullptr);
  if (call.count > kMaxArguments) call.count = kMaxArguments;
  try {
    return Function(call);
  } catch (const JsError& error) {
    raise(call, error.kind, (Describe ? describeCall(call) : "") + error.message);
  } catch (const c10::OutOfMemoryError& error) {
    raise(call, "OutOfMemoryError", (Describe ? describeCall(call) : "") + error.what_without_backtrace());
  } catch (const c10::Error& error) {
    raise(call, "TorchError", (Describe ? describeCall(call) : "") + error.what_without_backtrace());
  } catch (const std::exception& error) {
    raise(call, "TorchError", (Describe ? describeCall(call) : "") + error.what());
  }
  return nullptr;
}

template <napi_value (*Function)(const Call&), bool Describe = false>
void define(napi_env env, napi_value exports, const char* name) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, guarded<Function, Describe>, nullptr, &function);
  setProperty(env, exports, name, function);
}

} // namespace invdiff
