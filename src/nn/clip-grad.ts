/** Gradient clipping by the norm over all parameters; mirrors torch.nn.utils.clip_grad_norm_. */
import { foreachMulScalar_, foreachNorm, noGrad, scope, stack } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";

/**
 * Scales all gradients in place so that their common 2-norm is at most `maxNorm`, and returns the norm before.
 * Reading the number waits for the device.
 */
export function clipGradNorm_(parameters: Iterable<Tensor>, maxNorm: number): number {
  return noGrad(() =>
    scope(() => {
      const grads = Array.from(parameters, ({ grad }) => grad).filter((grad) => grad !== undefined);
      if (grads.length === 0) return 0;
      const total = stack(foreachNorm(grads, 2)).norm().item();
      // 1e-6 as in PyTorch, so that results agree to the last bits.
      const factor = maxNorm / (total + 1e-6);
      if (factor < 1) foreachMulScalar_(grads, factor);
      return total;
    }),
  );
}
