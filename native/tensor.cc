// Tensor life-cycle and raw data: wrap, release, metadata, bytes in and out.
#include <ATen/ops/empty.h>

#include <cstring>

#include "convert.h"
#include "guard.h"

namespace invdiff {
namespace {

// The collector is told in large steps: what rises and falls within one training step must not start a collection
// (V8 marks the whole heap after 64 MB of news), only what a program forgets to release.
constexpr int64_t kReportStep = 256 << 20;

void account(Env& env, int64_t count, int64_t bytes) {
  env.tensors += count;
  env.bytes += bytes;
  env.unreported += bytes;
}

// Never from a finalizer: telling the collector may start a collection, and V8 aborts when one starts inside another.
void report(Env& env) {
  if (env.unreported < kReportStep && env.unreported > -kReportStep) return;
  int64_t total = 0;
  int64_t change = env.unreported;
  env.unreported = 0;
  napi_adjust_external_memory(env.env, change, &total);
}

void drop(TensorBox& box) {
  if (box.released) return;
  box.released = true;
  box.tensor = at::Tensor();
  account(*box.env, -1, -box.bytes);
}

void collectTensor(node_api_basic_env, void* data, void*) {
  auto* box = static_cast<TensorBox*>(data);
  Env* env = box->env;
  drop(*box);
  delete box;
  if (--env->boxes == 0 && env->closed) delete env;
}

} // namespace

napi_value wrap(Env& env, at::Tensor tensor) {
  auto* box = new TensorBox;
  box->env = &env;
  box->bytes = tensor.has_storage() ? static_cast<int64_t>(tensor.numel() * tensor.itemsize()) : 0;
  box->tensor = std::move(tensor);
  napi_value value;
  if (napi_create_external(env.env, box, collectTensor, nullptr, &value) != napi_ok) {
    delete box;
    fail("the JavaScript engine could not take a tensor");
  }
  env.boxes++;
  account(env, 1, box->bytes);
  report(env);
  return value;
}

void release(TensorBox& box) {
  drop(box);
  report(*box.env);
}

TensorBox& boxOf(napi_env env, napi_value value) {
  void* data = nullptr;
  if (napi_get_value_external(env, value, &data) != napi_ok) fail("expected a Tensor");
  auto* box = static_cast<TensorBox*>(data);
  if (box->magic != TensorBox::kMagic) fail("expected a Tensor, got another native object");
  return *box;
}

const at::Tensor& tensorOf(napi_env env, napi_value value) {
  TensorBox& box = boxOf(env, value);
  if (box.released)
    throw JsError{"DisposedTensorError",
                  "a tensor was used after its release: return it from the scope that made it, or keep() it"};
  return box.tensor;
}

namespace {

napi_value releaseTensor(const Call& call) {
  release(boxOf(call.env, call[0]));
  return undefined(call.env);
}

napi_value sizes(const Call& call) {
  return fromList(call.env, tensorOf(call.env, call[0]).sizes(), [&](int64_t n) { return fromInt(call.env, n); });
}

napi_value dtype(const Call& call) { return fromString(call.env, nameOf(tensorOf(call.env, call[0]).scalar_type())); }

napi_value device(const Call& call) { return fromString(call.env, tensorOf(call.env, call[0]).device().str()); }

napi_value isContiguous(const Call& call) { return fromBool(call.env, tensorOf(call.env, call[0]).is_contiguous()); }

napi_value isChannelsLast(const Call& call) {
  const at::Tensor& tensor = tensorOf(call.env, call[0]);
  return fromBool(call.env, tensor.dim() == 4 && tensor.is_contiguous(at::MemoryFormat::ChannelsLast));
}

napi_value item(const Call& call) {
  at::Scalar scalar = tensorOf(call.env, call[0]).item();
  if (scalar.isBoolean()) return fromDouble(call.env, scalar.toBool() ? 1 : 0);
  return scalar.isIntegral(false) ? fromInt(call.env, scalar.toLong()) : fromDouble(call.env, scalar.toDouble());
}

struct Bytes {
  void* data = nullptr;
  size_t length = 0;
};

Bytes bytesOf(napi_env env, napi_value view) {
  napi_typedarray_type type;
  size_t length = 0;
  size_t offset = 0;
  napi_value buffer;
  Bytes bytes;
  check(napi_get_typedarray_info(env, view, &type, &length, &bytes.data, &buffer, &offset), "a Uint8Array");
  if (type != napi_uint8_array) fail("expected a Uint8Array");
  bytes.length = length;
  return bytes;
}

// (bytes, dtype, shape) -> CPU tensor holding a copy of the bytes
napi_value fromBytes(const Call& call) {
  Bytes bytes = bytesOf(call.env, call[0]);
  auto options = at::TensorOptions().dtype(dtypeOf(toString(call.env, call[1])));
  at::Tensor tensor = at::empty(shapeOf(call.env, call[2]), options);
  if (tensor.nbytes() != bytes.length)
    fail("the data has " + std::to_string(bytes.length) + " bytes, the shape needs " +
         std::to_string(tensor.nbytes()));
  if (bytes.length) std::memcpy(tensor.data_ptr(), bytes.data, bytes.length);
  return wrap(envOf(call.env), std::move(tensor));
}

const at::Tensor& readable(const Call& call) {
  const at::Tensor& tensor = tensorOf(call.env, call[0]);
  if (!tensor.is_cpu() || !tensor.is_contiguous()) fail("raw data needs a contiguous CPU tensor");
  return tensor;
}

// (tensor, Uint8Array) copies the tensor's bytes into the array
napi_value readBytes(const Call& call) {
  const at::Tensor& tensor = readable(call);
  Bytes bytes = bytesOf(call.env, call[1]);
  if (tensor.nbytes() != bytes.length)
    fail("the array has " + std::to_string(bytes.length) + " bytes, the tensor " + std::to_string(tensor.nbytes()));
  if (bytes.length) std::memcpy(bytes.data, tensor.const_data_ptr(), bytes.length);
  return undefined(call.env);
}

// (tensor, fn) calls fn with an ArrayBuffer over the tensor's own memory and detaches it afterwards
napi_value withBytes(const Call& call) {
  at::Tensor tensor = readable(call);
  napi_value buffer;
  if (tensor.nbytes() == 0) {
    void* data = nullptr;
    napi_create_arraybuffer(call.env, 0, &data, &buffer);
  } else {
    check(napi_create_external_arraybuffer(call.env, tensor.data_ptr(), tensor.nbytes(), nullptr, nullptr, &buffer),
          "an engine that allows external memory");
  }
  napi_value result = nullptr;
  napi_status status = napi_call_function(call.env, undefined(call.env), call[1], 1, &buffer, &result);
  napi_value pending = nullptr;
  if (status != napi_ok) napi_get_and_clear_last_exception(call.env, &pending);
  napi_detach_arraybuffer(call.env, buffer);
  if (pending) napi_throw(call.env, pending);
  return result;
}

napi_value counts(const Call& call) {
  Env& env = envOf(call.env);
  return fromFields(call.env, {{"tensors", fromInt(call.env, env.tensors)},
                               {"bytes", fromInt(call.env, env.bytes)}});
}

} // namespace

void initTensor(napi_env env, napi_value exports) {
  define<releaseTensor>(env, exports, "release");
  define<sizes>(env, exports, "sizes");
  define<dtype>(env, exports, "dtype");
  define<device>(env, exports, "device");
  define<isContiguous>(env, exports, "isContiguous");
  define<isChannelsLast>(env, exports, "isChannelsLast");
  define<item>(env, exports, "item");
  define<fromBytes>(env, exports, "fromBytes");
  define<readBytes>(env, exports, "readBytes");
  define<withBytes>(env, exports, "withBytes");
  define<counts>(env, exports, "counts");
}

} // namespace invdiff
