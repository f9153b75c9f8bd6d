// One generic operator call: schema -> IValues -> callBoxed -> JavaScript values. No operator is named here.
#include <ATen/core/dispatch/Dispatcher.h>

#include "convert.h"
#include "guard.h"

namespace invdiff {
namespace {

c10::OperatorHandle findOperator(const std::string& name, const std::string& overload) {
  auto handle = c10::Dispatcher::singleton().findSchema({"aten::" + name, overload});
  if (!handle && name.find("::") != std::string::npos)
    handle = c10::Dispatcher::singleton().findSchema({name, overload});
  if (!handle) fail("this libtorch has no operator '" + name + (overload.empty() ? "" : "." + overload) + "'");
  return *handle;
}

// (name, overload) -> index to pass to `call`
napi_value op(const Call& call) {
  Env& env = envOf(call.env);
  Op entry{findOperator(toString(call.env, call[0]), toString(call.env, call[1])), {}, {}};
  for (const auto& argument : entry.handle.schema().arguments()) entry.args.push_back(specOf(argument));
  for (const auto& result : entry.handle.schema().returns())
    entry.returnsWritten.push_back(result.alias_info() && result.alias_info()->isWrite());
  env.ops.push_back(std::move(entry));
  return fromInt(call.env, static_cast<int64_t>(env.ops.size()) - 1);
}

// (index, ...arguments) -> result
napi_value callOperator(const Call& call) {
  Env& env = envOf(call.env);
  uint32_t index = 0;
  napi_get_value_uint32(call.env, call.args[0], &index);
  if (index >= env.ops.size()) fail("unknown operator index");
  const Op& op = env.ops[index];
  const auto& arguments = op.handle.schema().arguments();
  c10::Stack stack;
  stack.reserve(arguments.size());
  for (size_t i = 0; i < arguments.size(); i++) {
    const auto& byDefault = arguments[i].default_value();
    if (byDefault && (i + 1 >= call.count || isNone(call.env, call.args[i + 1]))) {
      stack.push_back(*byDefault);
      continue;
    }
    if (i + 1 >= call.count) {
      if (!op.args[i].optional) fail("argument '" + arguments[i].name() + "' is missing");
      stack.emplace_back();
      continue;
    }
    stack.push_back(toIValue(call.env, call.args[i + 1], op.args[i]));
  }
  op.handle.callBoxed(stack);
  auto convert = [&](size_t i) { return op.returnsWritten[i] ? undefined(call.env) : fromIValue(env, stack[i]); };
  if (stack.empty()) return undefined(call.env);
  if (stack.size() == 1) return convert(0);
  napi_value array;
  napi_create_array_with_length(call.env, stack.size(), &array);
  for (size_t i = 0; i < stack.size(); i++) napi_set_element(call.env, array, i, convert(i));
  return array;
}

napi_value describeArgument(napi_env env, const c10::Argument& argument) {
  napi_value object;
  napi_create_object(env, &object);
  setProperty(env, object, "name", fromString(env, argument.name()));
  setProperty(env, object, "type", fromString(env, argument.real_type()->str()));
  setProperty(env, object, "size", argument.N() ? fromInt(env, *argument.N()) : undefined(env));
  setProperty(env, object, "keywordOnly", fromBool(env, argument.kwarg_only()));
  setProperty(env, object, "written", fromBool(env, argument.alias_info() && argument.alias_info()->isWrite()));
  if (argument.default_value()) {
    std::ostringstream text;
    text << *argument.default_value();
    setProperty(env, object, "default", fromString(env, text.str()));
  }
  return object;
}

// (name, overload) -> { arguments, returns, text } for tools/generate-ops.ts
napi_value schema(const Call& call) {
  auto handle = findOperator(toString(call.env, call[0]), toString(call.env, call[1]));
  const auto& schema = handle.schema();
  napi_value object;
  napi_create_object(call.env, &object);
  auto describe = [&](const c10::Argument& argument) { return describeArgument(call.env, argument); };
  setProperty(call.env, object, "arguments", fromList(call.env, schema.arguments(), describe));
  setProperty(call.env, object, "returns", fromList(call.env, schema.returns(), describe));
  std::ostringstream text;
  text << schema;
  setProperty(call.env, object, "text", fromString(call.env, text.str()));
  return object;
}

napi_value operatorNames(const Call& call) {
  return fromList(call.env, c10::Dispatcher::singleton().getAllOpNames(), [&](const c10::OperatorName& name) {
    return fromString(call.env, name.overload_name.empty() ? name.name : name.name + "." + name.overload_name);
  });
}

void describeValue(std::ostringstream& text, napi_env env, napi_value value, int depth = 0) {
  napi_valuetype type;
  napi_typeof(env, value, &type);
  bool isArray = false;
  napi_is_array(env, value, &isArray);
  if (type == napi_external) {
    void* data = nullptr;
    napi_get_value_external(env, value, &data);
    auto* box = static_cast<TensorBox*>(data);
    if (box->magic != TensorBox::kMagic) {
      text << "Generator";
    } else if (box->released) {
      text << "released Tensor";
    } else {
      text << nameOf(box->tensor.scalar_type()) << box->tensor.sizes();
      if (!box->tensor.is_cpu()) text << "@" << box->tensor.device();
    }
  } else if (isArray && depth < 2) {
    uint32_t length = arrayLength(env, value);
    text << "[";
    for (uint32_t i = 0; i < length && i < 8; i++) {
      if (i) text << ", ";
      describeValue(text, env, element(env, value, i), depth + 1);
    }
    text << (length > 8 ? ", ...]" : "]");
  } else {
    napi_value string;
    napi_coerce_to_string(env, value, &string);
    text << toString(env, string);
  }
}

} // namespace

std::string describeCall(const Call& call) {
  uint32_t index = 0;
  Env& env = envOf(call.env);
  if (call.count == 0 || napi_get_value_uint32(call.env, call.args[0], &index) != napi_ok || index >= env.ops.size())
    return "";
  const auto& schema = env.ops[index].handle.schema();
  std::ostringstream text;
  text << schema.name().substr(schema.name().rfind(':') + 1) << "(";
  for (size_t i = 1; i < call.count; i++) {
    if (isNone(call.env, call.args[i])) continue;
    if (i > 1) text << ", ";
    if (i - 1 < schema.arguments().size()) text << schema.arguments()[i - 1].name() << "=";
    describeValue(text, call.env, call.args[i]);
  }
  text << "): ";
  return text.str();
}

void initDispatch(napi_env env, napi_value exports) {
  define<op>(env, exports, "op");
  define<callOperator, true>(env, exports, "call");
  define<schema>(env, exports, "schema");
  define<operatorNames>(env, exports, "operatorNames");
}

} // namespace invdiff
