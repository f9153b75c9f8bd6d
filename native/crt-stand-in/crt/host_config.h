// Stands in for the header of this name where a Python CUDA package comes without it (CUDA 13 keeps it in the package of
// the device compiler, which torch does not need). A host compiler asks it for very little. See build-addon.mjs.
#pragma once
#include <features.h>

#define _CRTIMP
#define _ACRTIMP
