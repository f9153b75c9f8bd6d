#include "convert.h"

#include <ATen/Context.h>
#include <ATen/ScalarOps.h>
#include <torch/version.h>

#include "js.h"

namespace invdiff {
namespace {

constexpr std::pair<const char*, at::ScalarType> kDTypes[] = {
    {"float32", at::kFloat}, {"float64", at::kDouble}, {"float16", at::kHalf}, {"bfloat16", at::kBFloat16},
    {"int64", at::kLong},    {"int32", at::kInt},      {"int16", at::kShort},  {"int8", at::kChar},
    {"uint8", at::kByte},    {"bool", at::kBool},
};

at::MemoryFormat memoryFormatOf(const std::string& name) {
  if (name == "contiguous_format") return at::MemoryFormat::Contiguous;
  if (name == "preserve_format") return at::MemoryFormat::Preserve;
  if (name == "channels_last") return at::MemoryFormat::ChannelsLast;
  if (name == "channels_last_3d") return at::MemoryFormat::ChannelsLast3d;
  fail("unknown memory format '" + name + "'");
}

Kind kindOf(const c10::TypePtr& type) {
  switch (type->kind()) {
    case c10::TypeKind::TensorType: return Kind::Tensor;
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType: return Kind::Int;
    case c10::TypeKind::FloatType: return Kind::Float;
    case c10::TypeKind::BoolType:
    case c10::TypeKind::SymBoolType: return Kind::Bool;
    case c10::TypeKind::NumberType: return Kind::Scalar;
    case c10::TypeKind::StringType: return Kind::String;
    case c10::TypeKind::DeviceObjType: return Kind::Device;
    case c10::TypeKind::ScalarTypeType: return Kind::DType;
    case c10::TypeKind::LayoutType: return Kind::Layout;
    case c10::TypeKind::MemoryFormatType: return Kind::MemoryFormat;
    case c10::TypeKind::GeneratorType: return Kind::Generator;
    default: return Kind::Other;
  }
}

at::Scalar scalarOf(napi_env env, napi_value value) {
  napi_valuetype type;
  napi_typeof(env, value, &type);
  if (type == napi_boolean) return at::Scalar(toBool(env, value));
  if (type == napi_bigint) return at::Scalar(toInt(env, value));
  double number = toDouble(env, value);
  auto integer = static_cast<int64_t>(number);
  // JavaScript has one number type; whole numbers act as Python ints so that integer tensors stay integer.
  if (std::abs(number) < 9e15 && static_cast<double>(integer) == number) return at::Scalar(integer);
  return at::Scalar(number);
}

// A number where a tensor is expected is a 0-dim "wrapped number", which does not take part in type promotion.
at::Tensor tensorOrNumber(napi_env env, napi_value value) {
  napi_valuetype type;
  napi_typeof(env, value, &type);
  if (type == napi_external) return tensorOf(env, value);
  if (type != napi_number && type != napi_boolean && type != napi_bigint) fail("expected a Tensor or a number");
  return at::native::wrapped_scalar_tensor(scalarOf(env, value));
}

c10::IValue single(napi_env env, napi_value value, Kind kind) {
  switch (kind) {
    case Kind::Tensor: return tensorOrNumber(env, value);
    case Kind::Int: return toInt(env, value);
    case Kind::Float: return toDouble(env, value);
    case Kind::Bool: return toBool(env, value);
    case Kind::Scalar: return scalarOf(env, value);
    case Kind::String: return toString(env, value);
    case Kind::Device: return deviceOf(toString(env, value));
    case Kind::DType: return static_cast<int64_t>(dtypeOf(toString(env, value)));
    case Kind::Layout: return static_cast<int64_t>(at::kStrided);
    case Kind::MemoryFormat: return static_cast<int64_t>(memoryFormatOf(toString(env, value)));
    case Kind::Generator: return generatorOf(env, value);
    case Kind::Other: break;
  }
  fail("an argument of this type cannot be passed from JavaScript");
}

template <typename T, typename F>
c10::IValue listOf(napi_env env, napi_value value, int64_t fixedSize, F convert) {
  c10::List<T> list;
  bool isArray = false;
  napi_is_array(env, value, &isArray);
  if (!isArray && fixedSize > 0) {
    for (int64_t i = 0; i < fixedSize; i++) list.push_back(convert(value));
    return list;
  }
  uint32_t length = arrayLength(env, value);
  list.reserve(length);
  for (uint32_t i = 0; i < length; i++) list.push_back(convert(element(env, value, i)));
  return list;
}

c10::IValue listValue(napi_env env, napi_value value, const ArgSpec& spec) {
  switch (spec.kind) {
    case Kind::Tensor:
      if (spec.optionalElements)
        return listOf<std::optional<at::Tensor>>(env, value, 0, [&](napi_value v) {
          return isNone(env, v) ? std::optional<at::Tensor>() : std::optional<at::Tensor>(tensorOf(env, v));
        });
      return listOf<at::Tensor>(env, value, 0, [&](napi_value v) { return tensorOf(env, v); });
    case Kind::Int: return listOf<int64_t>(env, value, spec.fixedSize, [&](napi_value v) { return toInt(env, v); });
    case Kind::Float: return listOf<double>(env, value, spec.fixedSize, [&](napi_value v) { return toDouble(env, v); });
    case Kind::Bool: return listOf<bool>(env, value, spec.fixedSize, [&](napi_value v) { return toBool(env, v); });
    case Kind::Scalar: return listOf<at::Scalar>(env, value, 0, [&](napi_value v) { return scalarOf(env, v); });
    case Kind::String: return listOf<std::string>(env, value, 0, [&](napi_value v) { return toString(env, v); });
    default: fail("a list of this type cannot be passed from JavaScript");
  }
}

} // namespace

ArgSpec specOf(const c10::Argument& argument) {
  ArgSpec spec;
  c10::TypePtr type = argument.real_type();
  if (auto optional = type->cast<c10::OptionalType>()) {
    spec.optional = true;
    type = optional->getElementType();
  }
  if (auto list = type->cast<c10::ListType>()) {
    spec.list = true;
    spec.fixedSize = argument.N().value_or(0);
    type = list->getElementType();
    if (auto optional = type->cast<c10::OptionalType>()) {
      spec.optionalElements = true;
      type = optional->getElementType();
    }
  }
  spec.kind = kindOf(type);
  return spec;
}

c10::IValue toIValue(napi_env env, napi_value value, const ArgSpec& spec) {
  if (isNone(env, value)) {
    // An undefined tensor is how the dispatcher spells None for `Tensor?`; a missing required one is an error.
    if (!spec.optional) fail("a required argument is missing");
    return c10::IValue();
  }
  return spec.list ? listValue(env, value, spec) : single(env, value, spec.kind);
}

napi_value fromIValue(Env& env, const c10::IValue& value) {
  napi_env js = env.env;
  if (value.isTensor()) return value.toTensor().defined() ? wrap(env, value.toTensor()) : undefined(js);
  if (value.isNone()) return undefined(js);
  if (value.isInt()) return fromInt(js, value.toInt());
  if (value.isDouble()) return fromDouble(js, value.toDouble());
  if (value.isBool()) return fromBool(js, value.toBool());
  if (value.isString()) return fromString(js, value.toStringRef());
  if (value.isScalar()) return fromDouble(js, value.toScalar().toDouble());
  if (value.isDevice()) return fromString(js, value.toDevice().str());
  if (value.isTuple())
    return fromList(js, value.toTupleRef().elements(), [&](const c10::IValue& v) { return fromIValue(env, v); });
  if (value.isList())
    return fromList(js, value.toListRef(), [&](const c10::IValue& v) { return fromIValue(env, v); });
  fail("an operator returned a " + value.tagKind() + ", which has no JavaScript form here");
}

at::ScalarType dtypeOf(const std::string& name) {
  for (const auto& [text, dtype] : kDTypes)
    if (name == text) return dtype;
  fail("unknown dtype '" + name + "'");
}

std::vector<int64_t> shapeOf(napi_env env, napi_value value) {
  std::vector<int64_t> shape;
  for (uint32_t i = 0, n = arrayLength(env, value); i < n; i++) shape.push_back(toInt(env, element(env, value, i)));
  return shape;
}

const char* nameOf(at::ScalarType dtype) {
  for (const auto& [text, value] : kDTypes)
    if (dtype == value) return text;
  return c10::toString(dtype);
}

#ifdef INVDIFF_CUDA
constexpr const char* kNoCuda = " is built for CUDA but finds no device: use device 'cpu', or look at the driver "
                                "(nvidia-smi) and at CUDA_VISIBLE_DEVICES ";
#else
constexpr const char* kNoCuda = " sees no CUDA device: use device 'cpu', or install a CUDA build of libtorch and a driver ";
#endif

at::Device deviceOf(const std::string& name) {
  at::Device device(name);
  if (device.is_cuda() && !at::hasCUDA())
    fail("device '" + name + "' was asked for, but this libtorch (" TORCH_VERSION ")" + kNoCuda +
         "('invdiff doctor' shows what was found)");
  return device;
}

} // namespace invdiff
