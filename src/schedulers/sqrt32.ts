// Square roots as libtorch takes them.
import { scope, tensor } from "../torch/index.ts";

/**
 * float32 square roots with libtorch's own rounding. Its vectorised root is off by one unit in the last place for one
 * value in five; over 25 unclipped steps that grows to 1e-5, so the schedulers take the same roots as diffusers.
 */
export const sqrt32 = (values: readonly number[]): number[] => scope(() => tensor(values).sqrt().toNumbers());
