#include "device-code.h"

#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <c10/util/Exception.h>
#include <cuda.h>
#include <dlfcn.h>
#include <nvrtc.h>

#include <mutex>
#include <sstream>

namespace invdiff {
namespace {

// libcaffe2_nvrtc.so lies beside libtorch_cuda.so and is linked against NVRTC and the driver.
class Libraries {
public:
  static const Libraries& get() {
    static const Libraries libraries;
    return libraries;
  }

private:
  void* handle = open(); // before the functions: members are made in this order

public:
#define INVDIFF_FUNCTION(name) decltype(&::name) name = find<decltype(&::name)>(#name)
  INVDIFF_FUNCTION(nvrtcVersion);
  INVDIFF_FUNCTION(nvrtcGetErrorString);
  INVDIFF_FUNCTION(nvrtcCreateProgram);
  INVDIFF_FUNCTION(nvrtcDestroyProgram);
  INVDIFF_FUNCTION(nvrtcCompileProgram);
  INVDIFF_FUNCTION(nvrtcGetProgramLogSize);
  INVDIFF_FUNCTION(nvrtcGetProgramLog);
  INVDIFF_FUNCTION(nvrtcGetCUBINSize);
  INVDIFF_FUNCTION(nvrtcGetCUBIN);
  INVDIFF_FUNCTION(nvrtcGetPTXSize);
  INVDIFF_FUNCTION(nvrtcGetPTX);
  INVDIFF_FUNCTION(cuGetErrorString);
  INVDIFF_FUNCTION(cuInit);
  INVDIFF_FUNCTION(cuDeviceGet);
  INVDIFF_FUNCTION(cuDeviceGetAttribute);
  INVDIFF_FUNCTION(cuCtxGetCurrent);
  INVDIFF_FUNCTION(cuCtxSetCurrent);
  INVDIFF_FUNCTION(cuDevicePrimaryCtxRetain);
  INVDIFF_FUNCTION(cuStreamIsCapturing);
  INVDIFF_FUNCTION(cuModuleLoadData);
  INVDIFF_FUNCTION(cuModuleGetFunction);
  INVDIFF_FUNCTION(cuFuncGetAttribute);
  INVDIFF_FUNCTION(cuLaunchKernel);
#undef INVDIFF_FUNCTION

private:
  Libraries() {
    preloadBuiltins();
    cuInit(0); // again costs nothing; what it may refuse, the next call refuses with words
  }

  static void* open() {
    void* handle = dlopen("libcaffe2_nvrtc.so", RTLD_LAZY | RTLD_LOCAL);
    TORCH_CHECK(handle, "libtorch's libcaffe2_nvrtc.so does not load: ", dlerror());
    return handle;
  }

  template <class Function> Function find(const char* name) const {
    void* symbol = dlsym(handle, name);
    TORCH_CHECK(symbol, "neither NVRTC nor the CUDA driver has ", name);
    return reinterpret_cast<Function>(symbol);
  }

  // NVRTC opens a second library by its bare name, which is found only if it is loaded already or on the search path.
  void preloadBuiltins() const {
    int major = 0, minor = 0;
    Dl_info info;
    if (nvrtcVersion(&major, &minor) != NVRTC_SUCCESS || !dladdr(reinterpret_cast<void*>(nvrtcVersion), &info)) return;
    std::string folder = info.dli_fname;
    folder.resize(folder.rfind('/') + 1);
    std::ostringstream path;
    path << folder << "libnvrtc-builtins.so." << major << "." << minor;
    dlopen(path.str().c_str(), RTLD_NOW | RTLD_LOCAL); // where it is elsewhere, NVRTC says so itself
  }
};

void check(CUresult result, const char* what) {
  if (result == CUDA_SUCCESS) return;
  const char* words = nullptr;
  Libraries::get().cuGetErrorString(result, &words);
  TORCH_CHECK(false, "CUDA driver: ", what, " failed: ", words ? words : "unknown error");
}

void check(nvrtcResult result, const char* what) {
  TORCH_CHECK(result == NVRTC_SUCCESS, "NVRTC: ", what, " failed: ", Libraries::get().nvrtcGetErrorString(result));
}

// The driver's calls act on the thread's context, and threads of autograd may not have touched the device yet.
void makeContextCurrent(c10::Device device) {
  const Libraries& cuda = Libraries::get();
  static std::mutex contextMutex;
  static std::map<int, CUcontext> primary;
  CUcontext current = nullptr, wanted = nullptr;
  {
    std::lock_guard<std::mutex> lock(contextMutex);
    CUcontext& known = primary[device.index()];
    if (!known) {
      CUdevice handle;
      check(cuda.cuDeviceGet(&handle, device.index()), "finding the device");
      check(cuda.cuDevicePrimaryCtxRetain(&known, handle), "making a context");
    }
    wanted = known;
  }
  check(cuda.cuCtxGetCurrent(&current), "reading the context");
  if (current != wanted) check(cuda.cuCtxSetCurrent(wanted), "entering the context");
}

int attribute(c10::Device device, CUdevice_attribute which) {
  const Libraries& cuda = Libraries::get();
  CUdevice handle;
  int value = 0;
  check(cuda.cuDeviceGet(&handle, device.index()), "finding the device");
  check(cuda.cuDeviceGetAttribute(&value, which, handle), "reading a property of the device");
  return value;
}

std::vector<std::string> wordsOf(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

// Machine code, or PTX for the driver to translate; empty where NVRTC does not know the architecture.
std::string compile(const char* text, const std::string& options, const std::string& architecture) {
  const Libraries& nvrtc = Libraries::get();
  nvrtcProgram program = nullptr;
  check(nvrtc.nvrtcCreateProgram(&program, text, "invdiff.cu", 0, nullptr, nullptr), "reading a program");
  auto words = wordsOf("--std=c++17 --gpu-architecture=" + architecture + " " + options);
  std::vector<const char*> pointers;
  for (const auto& word : words) pointers.push_back(word.c_str());
  nvrtcResult result = nvrtc.nvrtcCompileProgram(program, static_cast<int>(pointers.size()), pointers.data());
  std::string code, log;
  size_t size = 0;
  if (result == NVRTC_SUCCESS) {
    const bool machine = architecture.rfind("sm_", 0) == 0;
    check(machine ? nvrtc.nvrtcGetCUBINSize(program, &size) : nvrtc.nvrtcGetPTXSize(program, &size), "measuring code");
    code.resize(size);
    check(machine ? nvrtc.nvrtcGetCUBIN(program, code.data()) : nvrtc.nvrtcGetPTX(program, code.data()), "giving code");
  } else if (nvrtc.nvrtcGetProgramLogSize(program, &size) == NVRTC_SUCCESS && size > 1) {
    log.resize(size);
    nvrtc.nvrtcGetProgramLog(program, log.data());
  }
  nvrtc.nvrtcDestroyProgram(&program);
  if (result == NVRTC_ERROR_INVALID_OPTION) return {};
  TORCH_CHECK(result == NVRTC_SUCCESS, "NVRTC: compiling for ", architecture, " failed: ",
              nvrtc.nvrtcGetErrorString(result), "\n", log.c_str());
  return code;
}

CUmodule load(c10::Device device, const char* text, const std::string& options) {
  const Libraries& cuda = Libraries::get();
  std::ostringstream own;
  own << "sm_" << attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
      << attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  // A card newer than this NVRTC takes the code of an older architecture in PTX.
  for (const std::string& architecture : {own.str(), std::string("compute_90"), std::string("compute_80")}) {
    std::string code = compile(text, options, architecture);
    if (code.empty()) continue;
    CUmodule module = nullptr;
    check(cuda.cuModuleLoadData(&module, code.c_str()), "loading kernels");
    return module;
  }
  TORCH_CHECK(false, "NVRTC knows neither ", own.str(), " nor compute_80");
}

std::mutex mutex;

} // namespace

const DeviceModule& deviceModule(c10::Device device, const char* text, const std::string& options,
                                 const std::vector<std::string>& names) {
  static std::map<std::string, DeviceModule> modules;
  const Libraries& cuda = Libraries::get();
  std::ostringstream key;
  key << device << " " << static_cast<const void*>(text) << " " << options;
  std::lock_guard<std::mutex> lock(mutex);
  auto found = modules.find(key.str());
  if (found != modules.end()) return found->second;
  makeContextCurrent(device);
  auto stream = c10::cuda::getCurrentCUDAStream(device.index());
  CUstreamCaptureStatus capturing = CU_STREAM_CAPTURE_STATUS_NONE;
  check(cuda.cuStreamIsCapturing(stream.stream(), &capturing), "asking for a capture");
  TORCH_CHECK(capturing == CU_STREAM_CAPTURE_STATUS_NONE,
              "kernels cannot be compiled while a graph is being captured; run the same call once before, as a warm-up");
  CUmodule loaded = load(device, text, options);
  DeviceModule functions;
  for (const auto& name : names) {
    CUfunction function = nullptr;
    int registers = 0;
    check(cuda.cuModuleGetFunction(&function, loaded, name.c_str()), name.c_str());
    // The driver loads lazily; asking for this makes it load now instead of within a capture.
    check(cuda.cuFuncGetAttribute(&registers, CU_FUNC_ATTRIBUTE_NUM_REGS, function), name.c_str());
    functions.emplace(name, function);
  }
  return modules.emplace(key.str(), std::move(functions)).first->second;
}

void launchKernel(c10::Device device, DeviceKernel kernel, int64_t blocks, int threads, int sharedBytes, void* arguments) {
  makeContextCurrent(device);
  auto stream = c10::cuda::getCurrentCUDAStream(device.index());
  void* parameters[] = {arguments};
  check(Libraries::get().cuLaunchKernel(kernel, static_cast<unsigned>(blocks), 1, 1, static_cast<unsigned>(threads), 1, 1,
                                        static_cast<unsigned>(sharedBytes), stream.stream(), parameters, nullptr),
        "starting a kernel");
}

int multiprocessorsOf(c10::Device device) {
  static std::mutex knownMutex;
  static std::map<int, int> known;
  std::lock_guard<std::mutex> lock(knownMutex);
  int& count = known[device.index()];
  if (count == 0) count = attribute(device, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  return count;
}

std::string deviceCodeProblem(c10::Device device) {
  static std::map<int, std::string> answers;
  static const char* const text = "extern \"C\" __global__ void invdiff_probe() {}";
  if (!device.has_index()) device.set_index(c10::cuda::current_device());
  {
    std::lock_guard<std::mutex> lock(mutex);
    auto found = answers.find(device.index());
    if (found != answers.end()) return found->second;
  }
  std::string problem;
  try {
    c10::cuda::CUDAGuard guard(device);
    launchKernel(device, deviceModule(device, text, "", {"invdiff_probe"}).at("invdiff_probe"), 1, 1, 0, nullptr);
  } catch (const c10::Error& error) {
    problem = error.what_without_backtrace();
  } catch (const std::exception& error) {
    problem = error.what();
  }
  std::lock_guard<std::mutex> lock(mutex);
  return answers.emplace(device.index(), problem).first->second;
}

} // namespace invdiff
