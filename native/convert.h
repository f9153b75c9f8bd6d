// JavaScript values <-> the dispatcher's IValues, by the operator's own schema.
#pragma once
#include "env.h"

namespace invdiff {

ArgSpec specOf(const c10::Argument& argument);
c10::IValue toIValue(napi_env env, napi_value value, const ArgSpec& spec);
napi_value fromIValue(Env& env, const c10::IValue& value);

at::ScalarType dtypeOf(const std::string& name);
const char* nameOf(at::ScalarType dtype);
at::Device deviceOf(const std::string& name);
std::vector<int64_t> shapeOf(napi_env env, napi_value value);

} // namespace invdiff
