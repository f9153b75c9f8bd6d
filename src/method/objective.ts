// Objectives of the two training stages. Stage 3: mean over groups + lambda * variance over groups of the group losses.
// Paper section 3.4; reference: train_text_to_image.py (--eiil 1).
import { ShapeError, type Tensor, tensor } from "../torch/index.ts";

export interface GroupObjective {
  /** mean + lambda * variance, or the mean alone if only one group is present; 0-dim. */
  readonly loss: Tensor;
  readonly mean: Tensor;
  /** Unbiased variance over the present groups; zero for a single one. */
  readonly variance: Tensor;
  /** Weighted mean loss of each present group, [present]. */
  readonly groupLosses: Tensor;
  /** Which groups are present, int64 [present]. */
  readonly present: Tensor;
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
  return { loss, mean, variance, groupLosses, present };
}

/** What an objective tells besides the loss. */
export interface ObjectiveValues {
  readonly mean?: number;
  readonly variance?: number;
  /** Loss of each group that is present in the batch. */
  readonly groupLosses?: ReadonlyMap<number, number>;
}

/** From the losses [B] of the images `rows` to what is minimised; `values` reads its numbers, after the backward pass. */
export type Objective = (
  losses: Tensor,
  rows: Int32Array,
) => { readonly loss: Tensor; readonly values?: () => ObjectiveValues };

/** Stage 1: mean of l_i over the batch. */
export const meanObjective: Objective = (losses) => ({ loss: losses.mean() });

/** Stage 3, with soft group weights of all images, [N][count] row-major. */
export function groupsObjective({
  weights,
  count,
  lambda,
}: {
  readonly weights: Float32Array;
  readonly count: number;
  readonly lambda: number;
}): Objective {
  return (losses, rows) => {
    const own = Float32Array.from({ length: rows.length * count }, (_, i) => {
      const row = rows[Math.floor(i / count)]!;
      return weights[row * count + (i % count)]!;
    });
    const given = tensor(own, { shape: [rows.length, count], device: losses.device });
    const { loss, mean, variance, groupLosses, present } = groupObjective(losses, given, lambda);
    const values = (): ObjectiveValues => {
      const each = groupLosses.toNumbers();
      const byGroup = new Map(present.toNumbers().map((g, i) => [g, each[i]!]));
      return { mean: mean.item(), variance: variance.item(), groupLosses: byGroup };
    };
    return { loss, values };
  };
}
