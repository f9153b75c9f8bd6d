#!/bin/sh
# Checks this host's torch and card with the bundle that this file lies in; see --help. Needs no Node.js: the bundle has its own.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd -P) || exit 1
if [ "$(uname -s)" != Linux ] || [ "$(uname -m)" != x86_64 ]; then
  echo "gpu-check: this bundle is for Linux on x86-64; this is $(uname -s) on $(uname -m)." >&2
  exit 1
fi
if ! problem=$("$here/bin/node" --version 2>&1 >/dev/null); then
  echo "gpu-check: the bundle's Node.js does not run here (it needs glibc 2.28 and libstdc++ of GCC 5 or newer):" >&2
  echo "$problem" >&2
  exit 1
fi
exec "$here/bin/node" "$here/tools/gpu-check/main.js" "$@"
