// Every operator of the simulated device: checked as CUDA checks it, computed by the CPU's kernel on the same memory.
// The results keep the CPU's strides, and what a kernel gives as a view or writes in place stays so.
#include <ATen/core/LegacyTypeDispatch.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "simulated.h"

namespace simulated {
namespace {

using torch::jit::Stack;
using Names = std::unordered_set<std::string>;

// Operators of TensorIterator whose CUDA kernels take 0-dim numbers of the CPU.
const Names kTakesHostNumbers = {
    "add", "sub", "subtract", "rsub", "mul", "multiply", "div", "divide", "true_divide", "floor_divide", "remainder",
    "fmod", "pow", "float_power", "atan2", "maximum", "minimum", "fmax", "fmin", "eq", "ne", "lt", "le", "gt", "ge",
    "logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor", "copysign", "hypot",
    "xlogy", "logaddexp", "where", "masked_fill", "index_fill", "index_put", "_index_put_impl", "fill", "mse_loss",
    "_fused_adamw", "_fused_adam", "_fused_sgd", "_foreach_mul", "_foreach_div", "_foreach_add",
};

// Operators that CUDA ends with a read of the device: their result's shape or a check depends on the values.
const Names kReads = {
    "nonzero", "masked_select", "_unique", "_unique2", "unique_dim", "unique_consecutive", "bincount", "histc", "equal",
    "_local_scalar_dense", "repeat_interleave", "_linalg_eigh", "_linalg_svd", "linalg_eig", "_linalg_eigvals",
    "linalg_lstsq",
};

const Names kTakesHostIndices = {"index", "_unsafe_index", "index_put", "_index_put_impl", "_unsafe_index_put"};
// Numbers on the device are fetched by these (value.item() in CUDA's kernels), numbers of the host are sent by those.
const Names kFetchesNumber = {"masked_fill", "index_fill"};
const Names kSendsNumber = {"index_put", "_index_put_impl"};

// "aten::add_.Tensor" and "aten::add.out" are both "add".
std::string baseName(const c10::OperatorHandle& op) {
  std::string name = op.operator_name().name;
  if (name.rfind("aten::", 0) == 0) name = name.substr(6);
  while (name.size() > 1 && name.back() == '_') name.pop_back();
  return name;
}

struct Argument {
  at::Tensor given; // on the device
  at::Tensor alias;
  bool written;
};

// One call of one operator.
class Call {
 public:
  Call(const c10::OperatorHandle& op, const Stack& given)
      : op_(op), full_(op.operator_name().name), name_(baseName(op)), given_(given) {}

  // The results, on the device.
  Stack run() {
    collect();
    check();
    access_ = launch(full_, reads(), writes());
    for (const Argument& argument : arguments_)
      if (argument.written) willWrite(argument.given);
    Stack host = host_;
    kernel(op_, host);
    Stack results;
    for (const c10::IValue& value : host) results.push_back(toDevice(value));
    for (const Argument& argument : arguments_)
      if (argument.written) followResize(argument);
    if (capturing()) record();
    return results;
  }

 private:
  static void kernel(const c10::OperatorHandle& op, Stack& stack) {
    at::AutoDispatchBelowADInplaceOrView below;
    c10::impl::ExcludeDispatchKeyGuard plain(c10::autocast_dispatch_keyset);
    op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), &stack);
  }

  void collect() {
    const auto& schema = op_.schema().arguments();
    for (size_t i = 0; i < given_.size(); i++) {
      bool written = schema[i].alias_info() && schema[i].alias_info()->isWrite();
      host_.push_back(toHost(given_[i], written, schema[i].name()));
    }
  }

  c10::IValue toHost(const c10::IValue& value, bool written, const std::string& name) {
    if (value.isTensor()) return hostTensor(value.toTensor(), written, name);
    if (value.isTensorList()) {
      c10::List<at::Tensor> list;
      for (const at::Tensor& tensor : value.toTensorVector()) list.push_back(hostTensor(tensor, written, name));
      return list;
    }
    if (value.isOptionalTensorList()) {
      c10::List<std::optional<at::Tensor>> list;
      for (const std::optional<at::Tensor>& tensor : value.toOptionalTensorList())
        list.push_back(tensor ? std::optional(hostTensor(*tensor, written, name)) : std::nullopt);
      return list;
    }
    if (value.isGenerator()) {
      usesGenerator_ = true;
      return hostGenerator(value.toGenerator());
    }
    if (value.isDevice()) return c10::Device(c10::kCPU);
    if (name == "generator" && value.isNone()) return hostGenerator(defaultGenerator());
    return value;
  }

  at::Tensor hostTensor(const at::Tensor& tensor, bool written, const std::string& name) {
    if (!tensor.defined()) return tensor;
    if (onDevice(tensor)) {
      arguments_.push_back({tensor, hostAlias(tensor), written});
      if (name == "indices" && (tensor.scalar_type() == at::kBool || tensor.scalar_type() == at::kByte)) masks_ = true;
      if (name == "value" && tensor.dim() == 0) fetchesNumber_ = kFetchesNumber.count(name_) > 0;
      return arguments_.back().alias;
    }
    TORCH_CHECK(tensor.is_cpu(), "the simulated device cannot read tensors of ", tensor.device());
    bool number = tensor.dim() == 0 && !written && kTakesHostNumbers.count(name_);
    bool index = name == "indices" && kTakesHostIndices.count(name_);
    if (index) sendsIndices_ = true;
    if (number && name == "values" && kSendsNumber.count(name_)) sendsIndices_ = true;
    if (!number && !index) strangers_ = true;
    if (!capturing()) return tensor;
    at::Tensor own = tensor.clone(); // a graph keeps the number it was captured with
    if (tensor.unsafeGetTensorImpl()->is_wrapped_number()) own.unsafeGetTensorImpl()->set_wrapped_number(true);
    return own;
  }

  void check() const {
    TORCH_CHECK(!strangers_, "Expected all tensors to be on the same device, but found at least two devices, ",
                device(), " and cpu! (when checking arguments of ", full_, ")");
    TORCH_CHECK(!(usesGenerator_ && capturing()), "a graph draws from the device's default generator only (", full_,
                ")");
    if (sendsIndices_) waitForStream("write", full_);
    if (masks_ || fetchesNumber_ || kReads.count(name_)) waitForStream("read", full_);
  }

  std::vector<at::Tensor> reads() const {
    std::vector<at::Tensor> tensors;
    for (const Argument& argument : arguments_) tensors.push_back(argument.given);
    return tensors;
  }

  std::vector<at::Tensor> writes() const {
    std::vector<at::Tensor> tensors;
    for (const Argument& argument : arguments_)
      if (argument.written) tensors.push_back(argument.given);
    return tensors;
  }

  c10::IValue toDevice(const c10::IValue& value) {
    if (value.isTensor()) return resultOf(value.toTensor());
    if (!value.isTensorList()) return value;
    c10::List<at::Tensor> list;
    for (const at::Tensor& tensor : value.toTensorVector()) list.push_back(resultOf(tensor));
    return list;
  }

  at::Tensor resultOf(const at::Tensor& host) {
    if (!host.defined()) return host;
    for (const Argument& argument : arguments_) {
      if (host.is_same(argument.alias)) return argument.given;
      if (host.storage().unsafeGetStorageImpl() == argument.alias.storage().unsafeGetStorageImpl())
        return deviceTensor(host, argument.given.storage());
    }
    return deviceTensor(host, madeFor(host.storage()));
  }

  // The device's storage of a kernel's new CPU storage, with its bytes.
  const c10::Storage& madeFor(const c10::Storage& host) {
    for (const auto& [from, to] : made_)
      if (from.unsafeGetStorageImpl() == host.unsafeGetStorageImpl()) return to;
    made_.emplace_back(host, newStorage(host.nbytes()));
    const c10::Storage& storage = made_.back().second;
    copyStorage(storage, host);
    if (auto block = blockOf(storage)) block->written = access_;
    return storage;
  }

  // An output that the kernel gave another size, in memory of the CPU: the device's takes both over.
  static void followResize(const Argument& argument) {
    const at::Tensor& alias = argument.alias;
    c10::StorageImpl* storage = argument.given.storage().unsafeGetStorageImpl();
    c10::StorageImpl* host = alias.storage().unsafeGetStorageImpl();
    if (host->data() != storage->data()) {
      c10::Storage larger = newStorage(host->nbytes());
      copyStorage(larger, alias.storage());
      storage->set_nbytes(host->nbytes());
      storage->set_data_ptr_noswap(larger.set_data_ptr(c10::DataPtr(nullptr, device())));
      host->set_data_ptr_noswap(c10::DataPtr(storage->mutable_data(), c10::Device(c10::kCPU)));
    }
    c10::TensorImpl* impl = argument.given.unsafeGetTensorImpl();
    if (impl->sizes() == alias.sizes() && impl->strides() == alias.strides()) return;
    impl->set_storage_offset(alias.storage_offset());
    impl->set_sizes_and_strides(alias.sizes(), alias.strides());
  }

  // A replay runs the kernel again and brings new results to where the first ones lie. The device's memory is not kept
  // alive by what is recorded.
  void record() const {
    std::vector<void*> targets;
    for (const auto& [from, to] : made_) targets.push_back(to.mutable_data());
    recordKernel(full_, reads(), [op = op_, host = host_, targets] {
      Stack stack = host;
      kernel(op, stack);
      std::vector<const c10::StorageImpl*> known;
      for (const c10::IValue& value : host) eachStorage(value, known, [](const c10::StorageImpl&) {});
      size_t next = 0;
      auto bring = [&](const c10::StorageImpl& storage) {
        if (storage.nbytes()) std::memcpy(targets.at(next), storage.data(), storage.nbytes());
        next++;
      };
      for (const c10::IValue& value : stack) eachStorage(value, known, bring);
    });
  }

  // Visits storages that are not among the known ones, which they join.
  template <typename F>
  static void eachStorage(const c10::IValue& value, std::vector<const c10::StorageImpl*>& known, F visit) {
    auto each = [&](const at::Tensor& tensor) {
      if (!tensor.defined()) return;
      const c10::StorageImpl* storage = tensor.storage().unsafeGetStorageImpl();
      if (std::find(known.begin(), known.end(), storage) != known.end()) return;
      known.push_back(storage);
      visit(*storage);
    };
    if (value.isTensor()) each(value.toTensor());
    if (value.isTensorList())
      for (const at::Tensor& tensor : value.toTensorVector()) each(tensor);
    if (value.isOptionalTensorList())
      for (const std::optional<at::Tensor>& tensor : value.toOptionalTensorList())
        if (tensor) each(*tensor);
  }

  const c10::OperatorHandle& op_;
  const std::string& full_;
  std::string name_;
  const Stack& given_;
  Stack host_;
  Access access_;
  std::vector<Argument> arguments_;
  std::vector<std::pair<c10::Storage, c10::Storage>> made_;
  bool strangers_ = false;
  bool sendsIndices_ = false;
  bool masks_ = false;
  bool fetchesNumber_ = false;
  bool usesGenerator_ = false;
};

} // namespace

void fallback(const c10::OperatorHandle& op, Stack* stack) {
  std::lock_guard guard(lock());
  const size_t count = op.schema().arguments().size();
  Stack given(stack->end() - static_cast<int64_t>(count), stack->end());
  Stack results = Call(op, given).run();
  stack->resize(stack->size() - count);
  for (c10::IValue& value : results) stack->push_back(std::move(value));
}

} // namespace simulated
