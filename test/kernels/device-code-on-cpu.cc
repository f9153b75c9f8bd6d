// What native/kernels/device-code.h promises, on the processor: group-norm.cc, built for the CPU beside this file, runs its
// operators with the kernels of instances.h. That shows all of it that needs no card: plans, working memory, autograd.
#include "../../native/kernels/device-code.h"

#include <c10/util/Exception.h>

#include <mutex>

#include "instances.h"

// A kernel of an instance, in the driver's name.
struct CUfunc_st {
  const Instance* instance;
  std::string name;
};

namespace invdiff {
namespace {

// The number behind -DINVDIFF_<what>= in the options for the compiler.
int numberOf(const std::string& options, const std::string& what) {
  const std::string word = "-DINVDIFF_" + what + "=";
  const size_t at = options.find(word);
  TORCH_CHECK(at != std::string::npos, "the options do not say ", what);
  return std::stoi(options.substr(at + word.size()));
}

} // namespace

const DeviceModule& deviceModule(c10::Device device, const char* text, const std::string& options,
                                 const std::vector<std::string>& names) {
  static std::mutex mutex;
  static std::map<std::string, DeviceModule> modules;
  const Instance* instance =
      instanceOf(numberOf(options, "IO"), numberOf(options, "WEIGHT"), numberOf(options, "VECTOR"));
  TORCH_CHECK(instance, "no kernels for ", options);
  std::lock_guard<std::mutex> lock(mutex);
  DeviceModule& module = modules[options + text];
  for (const auto& name : names) {
    TORCH_CHECK(instance->kernels.count(name) && std::string(text).find(name + ")(Args a)") != std::string::npos, name);
    if (!module.count(name)) module.emplace(name, new CUfunc_st{instance, name});
  }
  return module;
}

void launchKernel(c10::Device, DeviceKernel kernel, int64_t blocks, int threads, int sharedBytes, void* arguments) {
  static std::mutex mutex; // the shim's threadIdx and its kind are one for the process
  std::lock_guard<std::mutex> lock(mutex);
  kernel->instance->launch(kernel->name, *static_cast<const GroupNormArgs*>(arguments), blocks, threads, sharedBytes,
                           host::kUp);
}

int multiprocessorsOf(c10::Device) { return 2; }

std::string deviceCodeProblem(c10::Device) { return ""; }

} // namespace invdiff
