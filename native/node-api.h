// Node-API in its "experimental" version: only there does Node run a finalizer inside the collection itself. In the
// numbered versions a synchronous loop would free nothing until it yields (measured: 20,000 of 20,000 tensors alive).
#pragma once
#define NAPI_VERSION 2147483647
#include <node_api.h>
