// Libraries of other people: an out-of-tree libtorch backend or operators of its own, loaded into the process for good.
#include <dlfcn.h>

#include "accelerator.h"
#include "guard.h"

namespace invdiff {
namespace {

// A backend that answers for its device's memory, events and graphs exports this as a C symbol.
constexpr const char* kAccelerator = "invdiff_accelerator";

// (path) loads the library, whose static initializers register what it brings; never unloaded
napi_value loadLibrary(const Call& call) {
  const std::string path = toString(call.env, call[0]);
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) fail("the library " + path + " does not load: " + dlerror());
  auto accelerator = reinterpret_cast<Accelerator* (*)()>(dlsym(library, kAccelerator));
  if (accelerator) registerAccelerator(accelerator());
  return undefined(call.env);
}

} // namespace

void initLibrary(napi_env env, napi_value exports) { define<loadLibrary>(env, exports, "loadLibrary"); }

} // namespace invdiff
