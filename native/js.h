// The few Node-API conversions that every file here needs. A failed conversion is a JsError, turned into a
// JavaScript exception by guard.h.
#pragma once
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "node-api.h"

namespace invdiff {

struct JsError {
  const char* kind; // "TorchError" | "DisposedTensorError"
  std::string message;
};

[[noreturn]] inline void fail(std::string message) { throw JsError{"TorchError", std::move(message)}; }

inline void check(napi_status status, const char* expected) {
  if (status != napi_ok) fail(std::string("expected ") + expected);
}

inline bool isNone(napi_env env, napi_value value) {
  napi_valuetype type;
  napi_typeof(env, value, &type);
  return type == napi_undefined || type == napi_null;
}

inline napi_value undefined(napi_env env) {
  napi_value value;
  napi_get_undefined(env, &value);
  return value;
}

inline std::string toString(napi_env env, napi_value value) {
  size_t length = 0;
  check(napi_get_value_string_utf8(env, value, nullptr, 0, &length), "a string");
  std::string text(length, '\0');
  napi_get_value_string_utf8(env, value, text.data(), length + 1, &length);
  return text;
}

inline napi_value fromString(napi_env env, const std::string& text) {
  napi_value value;
  napi_create_string_utf8(env, text.data(), text.size(), &value);
  return value;
}

inline double toDouble(napi_env env, napi_value value) {
  double number = 0;
  check(napi_get_value_double(env, value, &number), "a number");
  return number;
}

inline bool toBool(napi_env env, napi_value value) {
  bool flag = false;
  check(napi_get_value_bool(env, value, &flag), "a boolean");
  return flag;
}

inline int64_t toInt(napi_env env, napi_value value) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) == napi_ok) {
    auto integer = static_cast<int64_t>(number);
    if (static_cast<double>(integer) != number) fail("expected an integer, got " + std::to_string(number));
    return integer;
  }
  int64_t integer = 0;
  bool lossless = false;
  check(napi_get_value_bigint_int64(env, value, &integer, &lossless), "an integer");
  if (!lossless) fail("expected an integer of at most 64 bits");
  return integer;
}

inline napi_value fromDouble(napi_env env, double number) {
  napi_value value;
  napi_create_double(env, number, &value);
  return value;
}

inline napi_value fromBool(napi_env env, bool flag) {
  napi_value value;
  napi_get_boolean(env, flag, &value);
  return value;
}

// Integers beyond 2^53 become bigints, so that no seed or id is rounded silently.
inline napi_value fromInt(napi_env env, int64_t integer) {
  napi_value value;
  if (integer > -(1LL << 53) && integer < (1LL << 53)) {
    napi_create_int64(env, integer, &value);
  } else {
    napi_create_bigint_int64(env, integer, &value);
  }
  return value;
}

inline uint32_t arrayLength(napi_env env, napi_value value) {
  uint32_t length = 0;
  check(napi_get_array_length(env, value, &length), "an array");
  return length;
}

inline napi_value element(napi_env env, napi_value array, uint32_t index) {
  napi_value value;
  napi_get_element(env, array, index, &value);
  return value;
}

template <typename T, typename F>
napi_value fromList(napi_env env, const T& items, F convert) {
  napi_value array;
  napi_create_array_with_length(env, items.size(), &array);
  uint32_t index = 0;
  for (const auto& item : items) napi_set_element(env, array, index++, convert(item));
  return array;
}

inline void setProperty(napi_env env, napi_value object, const char* name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}

inline napi_value fromFields(napi_env env, std::initializer_list<std::pair<const char*, napi_value>> fields) {
  napi_value object;
  napi_create_object(env, &object);
  for (const auto& [name, value] : fields) setProperty(env, object, name, value);
  return object;
}

} // namespace invdiff
