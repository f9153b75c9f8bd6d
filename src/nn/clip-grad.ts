/** Gradient clipping by the norm over all parameters; mirrors torch.nn.utils.clip_grad_norm_. */
import { foreachMulScalar_, foreachNorm, noGrad, scope, stack } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";

/** 1e-6 as in PyTorch, so that results agree to the last bits. */
const EPSILON = 1e-6;

/**
 * Scales all gradients in place so that their common 2-norm is at most `maxNorm`, and returns the norm before.
 * Reading the number waits for the device.
 */
export function clipGradNorm_(parameters: Iterable<Tensor>, maxNorm: number): number {
  return noGrad(() =>
    scope(() => {
      const grads = gradientsOf(parameters);
      if (grads.length === 0) return 0;
      const total = normOf(grads).item();
      const factor = maxNorm / (total + EPSILON);
      if (factor < 1) foreachMulScalar_(grads, factor);
      return total;
    }),
  );
}

/** The common 2-norm of all gradients, 0-dim, on their device; undefined where there are none. */
export const gradNorm = (parameters: Iterable<Tensor>): Tensor | undefined =>
  noGrad(() =>
    scope(() => {
      const grads = gradientsOf(parameters);
      return grads.length === 0 ? undefined : normOf(grads);
    }),
  );

/** What gradients of this norm (0-dim) are to be divided by so that it becomes at most `maxNorm`; at least 1. */
export const clipDivisor = (norm: Tensor, maxNorm: number): Tensor =>
  scope(() => norm.add(EPSILON).div(maxNorm).clampMin(1));

const gradientsOf = (parameters: Iterable<Tensor>): Tensor[] =>
  Array.from(parameters, ({ grad }) => grad).filter((grad) => grad !== undefined);

const normOf = (grads: readonly Tensor[]): Tensor => stack(foreachNorm(grads, 2)).norm();
