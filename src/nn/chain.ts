/** Layers one after another, without holding on to what lies between them. */
import type { Tensor } from "../torch/index.ts";

/**
 * Applies the steps in turn. Each intermediate result is released as soon as the next one is there, not at the end of the
 * surrounding scope; what autograd needs, it keeps by itself. The input stays the caller's.
 */
export function chain(xs: Tensor, steps: readonly ((xs: Tensor) => Tensor)[]): Tensor {
  let h = xs;
  for (const step of steps) {
    const next = step(h);
    if (h !== xs && h !== next) h.dispose();
    h = next;
  }
  return h;
}
