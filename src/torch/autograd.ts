// Gradients outside `backward()`, and the modes that switch recording and precision for a synchronous function.
import { addon } from "./addon.ts";
import { wrap } from "./bridge.ts";
import type { Device, DType } from "./dtype.ts";
import type { Tensor } from "./tensor.ts";

/**
 * Gradients of `outputs` with respect to `inputs`, without touching any `.grad`.
 * Throws `TorchError` for an input that the outputs do not depend on, unless `allowUnused` (then undefined).
 */
export function grad(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  options: {
    gradOutputs?: readonly Tensor[];
    retainGraph?: boolean;
    createGraph?: boolean;
    allowUnused?: boolean;
  } = {},
): (Tensor | undefined)[] {
  const { gradOutputs, createGraph = false, retainGraph = createGraph, allowUnused = false } = options;
  const seeds = outputs.map((_, i) => gradOutputs?.[i]?.handle);
  return addon
    .grad(
      outputs.map((t) => t.handle),
      inputs.map((t) => t.handle),
      seeds,
      retainGraph,
      createGraph,
      allowUnused,
    )
    .map((handle) => handle && wrap(handle));
}

function withGradMode<T>(enabled: boolean, fn: () => T): T {
  const before = addon.setGradMode(enabled);
  try {
    return fn();
  } finally {
    addon.setGradMode(before);
  }
}

/** Whether operations are recorded for gradients here: not inside `noGrad` and `inferenceMode`. */
export function gradEnabled(): boolean {
  const enabled = addon.setGradMode(true);
  addon.setGradMode(enabled);
  return enabled;
}

/** Runs a synchronous function without recording operations for gradients. */
export const noGrad = <T>(fn: () => T): T => withGradMode(false, fn);

/** Runs a synchronous function recording operations, also inside `noGrad`. */
export const enableGrad = <T>(fn: () => T): T => withGradMode(true, fn);

/** Like `noGrad`, and cheaper: tensors made inside can never take part in autograd. */
export function inferenceMode<T>(fn: () => T): T {
  addon.pushInferenceMode();
  try {
    return fn();
  } finally {
    addon.popInferenceMode();
  }
}

export interface AutocastOptions {
  readonly device?: Device;
  readonly dtype?: DType;
  readonly enabled?: boolean;
}

/** The options with which `autocast` gives what is in force for a device here. */
export function autocastOptions(device: Device): Required<AutocastOptions> {
  const { enabled, dtype } = addon.setAutocast(device, false);
  addon.setAutocast(device, enabled, dtype);
  return { device, enabled, dtype: dtype as DType };
}

/** Runs a synchronous function with libtorch's automatic mixed precision. */
export function autocast<T>(
  { device = "cpu", dtype = "bfloat16", enabled = true }: AutocastOptions,
  fn: () => T,
): T {
  const before = addon.setAutocast(device, enabled, dtype);
  addon.nestAutocast(1);
  try {
    return fn();
  } finally {
    addon.nestAutocast(-1);
    addon.setAutocast(device, before.enabled, before.dtype);
  }
}
