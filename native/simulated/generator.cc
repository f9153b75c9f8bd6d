// Random generators and hooks of the simulated device: the CPU's streams of numbers under the device's name.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>

#include "simulated.h"

namespace simulated {
namespace {

struct GeneratorOfDevice final : c10::GeneratorImpl {
  at::Generator inner;

  explicit GeneratorOfDevice(at::Generator generator)
      : c10::GeneratorImpl(simulated::device(), c10::DispatchKeySet(c10::DispatchKey::PrivateUse1)), inner(std::move(generator)) {}
  void set_current_seed(uint64_t seed) override { inner.set_current_seed(seed); }
  void set_offset(uint64_t offset) override { inner.set_offset(offset); }
  uint64_t get_offset() const override { return inner.get_offset(); }
  uint64_t current_seed() const override { return inner.current_seed(); }
  uint64_t seed() override { return inner.seed(); }
  void set_state(const c10::TensorImpl& state) override { inner.unsafeGetGeneratorImpl()->set_state(state); }
  c10::intrusive_ptr<c10::TensorImpl> get_state() const override {
    return inner.unsafeGetGeneratorImpl()->get_state();
  }
  GeneratorOfDevice* clone_impl() const override { return new GeneratorOfDevice(inner.clone()); }
};

at::Generator make() { return at::make_generator<GeneratorOfDevice>(at::detail::createCPUGenerator()); }

struct Hooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
  c10::DeviceIndex getCurrentDevice() const override { return 0; }
  void setCurrentDevice(c10::DeviceIndex) const override {}
  c10::DeviceIndex exchangeDevice(c10::DeviceIndex) const override { return 0; }
  c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex) const override { return 0; }
  const at::Generator& getDefaultGenerator(c10::DeviceIndex) const override { return defaultGenerator(); }
  at::Generator getNewGenerator(c10::DeviceIndex) const override { return make(); }
  at::Device getDeviceFromPtr(void*) const override { return device(); }
  bool isPinnedPtr(const void* data) const override { return isPinned(data); }
  c10::Allocator* getPinnedMemoryAllocator() const override { return pinnedAllocator(); }
};

const bool registered = [] {
  c10::register_privateuse1_backend("privateuseone"); // what libtorch calls an accelerator
  at::RegisterPrivateUse1HooksInterface(new Hooks);
  return true;
}();

} // namespace

at::Generator hostGenerator(const at::Generator& generator) {
  TORCH_CHECK(generator.device().type() == kType, "Expected a '", device().type(),
              "' device type for generator but found '", generator.device().type(), "'");
  return static_cast<GeneratorOfDevice*>(generator.unsafeGetGeneratorImpl())->inner;
}

const at::Generator& defaultGenerator() {
  static auto* generator = new at::Generator(make());
  return *generator;
}

} // namespace simulated
