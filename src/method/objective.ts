// Group objective of stage 3: mean over groups + lambda * variance over groups of the group losses.
// Paper section 3.4; reference: train_text_to_image.py (--eiil 1).
import { ShapeError, type Tensor } from "../torch/index.ts";

export interface GroupObjective {
  /** mean + lambda * variance, or the mean alone if only one group is present; 0-dim. */
  readonly loss: Tensor;
  readonly mean: Tensor;
  /** Unbiased variance over the present groups; zero for a single one. */
  readonly variance: Tensor;
  /** Weighted mean loss of each present group, [present]. */
  readonly groupLosses: Tensor;
}

/**
 * The objective from per-sample losses [B] and group weights [B, K] (rows sum to 1).
 * A group is absent when its total weight is zero; the reference asks whether its loss exceeds 1e-9 instead.
 * Throws ShapeError if the sizes do not fit.
 */
export function groupObjective(perSample: Tensor, weights: Tensor, lambda: number): GroupObjective {
  const [batch] = perSample.shape;
  if (perSample.ndim !== 1 || weights.ndim !== 2 || weights.shape[0] !== batch)
    throw new ShapeError(
      `groupObjective: losses [B] and weights [B, K] were expected, got [${perSample.shape.join(", ")}] and [${weights.shape.join(", ")}]`,
    );
  const totals = weights.sum(0);
  const present = totals.gt(0).nonzero().view([-1]);
  const sums = perSample.unsqueeze(0).matmul(weights).view([-1]);
  const groupLosses = sums.indexSelect(0, present).div(totals.indexSelect(0, present));
  const mean = groupLosses.mean();
  const several = groupLosses.numel > 1;
  const variance = several ? groupLosses.variance([0], { correction: 1 }) : mean.detach().mul(0);
  const loss = several ? mean.add(variance.mul(lambda)) : mean;
  return { loss, mean, variance, groupLosses };
}
