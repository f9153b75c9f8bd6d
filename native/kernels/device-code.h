// CUDA text compiled on the machine where it runs: NVRTC and the driver, both found through the libtorch in use, so that
// neither nvcc nor a toolkit is needed there.
#pragma once
#include <c10/core/Device.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

struct CUfunc_st; // the driver's

namespace invdiff {

using DeviceKernel = CUfunc_st*;
using DeviceModule = std::map<std::string, DeviceKernel>;

// The kernels `names` of the text for this device, compiled once per process, device and set of options. Fails with a
// sentence where a graph is being captured and they are not there yet, and with the compiler's words where it refuses.
const DeviceModule& deviceModule(c10::Device device, const char* text, const std::string& options,
                                 const std::vector<std::string>& names);

// On the current stream of the device. The arguments are one struct, passed by value.
void launchKernel(c10::Device device, DeviceKernel kernel, int64_t blocks, int threads, int sharedBytes, void* arguments);

int multiprocessorsOf(c10::Device device);

// Why this device cannot compile and load such text; empty where it can. Tried once per process and device.
std::string deviceCodeProblem(c10::Device device);

} // namespace invdiff
