// A baseline for tests that count tensors: garbage of earlier tests must not be collected in the middle of one.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { tensorBytes, tensorCount } from "../src/torch/index.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** `tensorCount()` after a collection: only tensors that something still holds. */
export function settledTensorCount(): number {
  collect();
  return tensorCount();
}

/** `tensorBytes()` after a collection. */
export function settledTensorBytes(): number {
  collect();
  return tensorBytes();
}
