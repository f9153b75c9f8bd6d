// float32 functions as libtorch computes them.
import { scope, type Tensor, tensor } from "../torch/index.ts";

/**
 * libtorch's own rounding: its vectorised roots, exponentials and logarithms are off by one unit in the last place here
 * and there; over 25 unclipped steps that grows to 1e-5, so the schedulers take the same ones as diffusers.
 */
const elementwise =
  (fn: (xs: Tensor) => Tensor) =>
  (values: readonly number[]): number[] =>
    scope(() => fn(tensor(values)).toNumbers());

export const sqrt32 = elementwise((xs) => xs.sqrt());
export const exp32 = elementwise((xs) => xs.exp());
export const log32 = elementwise((xs) => xs.log());

/** One square root; see above. */
export const root32 = (value: number): number => sqrt32([value])[0]!;

/**
 * weight * xs, in the dtype of `xs`. As in Python the weight is a float32 tensor of its own and stands first: on the CPU
 * libtorch rounds it to float16 then, which it does not when a number stands second.
 */
export const times = (weight: number, xs: Tensor): Tensor => tensor(weight).mul(xs);
