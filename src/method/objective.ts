// Objectives of the two training stages. Stage 3: mean over groups + lambda * variance over groups of the group losses.
// Paper section 3.4; reference: train_text_to_image.py (--eiil 1).
import { cat, ShapeError, type Tensor, tensor } from "../torch/index.ts";

export interface GroupObjective {
  /** mean + lambda * variance, or the mean alone if only one group is present; 0-dim. */
  readonly loss: Tensor;
  readonly mean: Tensor;
  /** Unbiased variance over the present groups; zero for a single one. */
  readonly variance: Tensor;
  /** Weighted mean loss of each group, zero for one that is absent, [K]. */
  readonly groupLosses: Tensor;
  /** 1 for each group that is present, 0 for the others, [K]. */
  readonly present: Tensor;
}

/**
 * The objective from per-sample losses [B] and group weights [B, K] (rows sum to 1).
 * A group is absent when its total weight is zero; the reference asks whether its loss exceeds 1e-9 instead.
 * Which groups are present is a mask, so that all shapes are the same for every batch and nobody waits for a device.
 * Throws ShapeError if the sizes do not fit.
 */
export function groupObjective(perSample: Tensor, weights: Tensor, lambda: number): GroupObjective {
  const [batch] = perSample.shape;
  if (perSample.ndim !== 1 || weights.ndim !== 2 || weights.shape[0] !== batch)
    throw new ShapeError(
      `groupObjective: losses [B] and weights [B, K] were expected, got [${perSample.shape.join(", ")}] and [${weights.shape.join(", ")}]`,
    );
  const count = weights.shape[1]!;
  const totals = weights.sum(0);
  const present = totals.gt(0).to(perSample.dtype);
  const absent = present.neg().add(1);
  const sums = perSample.unsqueeze(0).matmul(weights).view([-1]);
  const groupLosses = sums.div(totals.add(absent));
  const groups = present.sum();
  const mean = groupLosses.sum().div(groups);
  if (count === 1) return { loss: mean, mean, variance: mean.detach().mul(0), groupLosses, present };
  // The absent ones are put where they add nothing to the sum of squares, whose divisor is then set right: for n of K
  // groups var * (K - 1) / (n - 1). With one group present the variance is zero.
  const filled = groupLosses.add(absent.mul(mean.detach()));
  const several = groups.gt(1).to(perSample.dtype);
  const correction = several.mul(count - 1).div(groups.sub(1).clampMin(1));
  const variance = filled.variance([0], { correction: 1 }).mul(correction);
  return { loss: mean.add(variance.mul(lambda)), mean, variance, groupLosses, present };
}

/** What an objective tells besides the loss. */
export interface ObjectiveValues {
  readonly mean?: number;
  readonly variance?: number;
  /** Loss of each group that is present in the batch. */
  readonly groupLosses?: ReadonlyMap<number, number>;
}

/** What is minimised. */
export interface Objective {
  /** What it is to know of the images `rows`: their group weights, [B, K] on the CPU. */
  readonly weightsOf?: (rows: Int32Array) => Tensor;
  /** From the losses [B] and what it knows of their images to the loss, and to a vector of what else it tells. */
  readonly of: (losses: Tensor, weights?: Tensor) => { readonly loss: Tensor; readonly told?: Tensor };
  /** Names the vector's numbers. */
  readonly read?: (told: readonly number[]) => ObjectiveValues;
}

/** Stage 1: mean of l_i over the batch. */
export const meanObjective: Objective = { of: (losses) => ({ loss: losses.mean() }) };

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
  return {
    weightsOf(rows) {
      const own = new Float32Array(rows.length * count);
      rows.forEach((row, i) => own.set(weights.subarray(row * count, (row + 1) * count), i * count));
      return tensor(own, { shape: [rows.length, count] });
    },
    of(losses, given) {
      const { loss, mean, variance, groupLosses, present } = groupObjective(losses, given!, lambda);
      return { loss, told: cat([mean.view([1]), variance.view([1]), groupLosses, present]).detach() };
    },
    read([mean, variance, ...groups]) {
      const present = [...Array(count).keys()].filter((group) => groups[count + group] === 1);
      return { mean: mean!, variance: variance!, groupLosses: new Map(present.map((g) => [g, groups[g]!])) };
    },
  };
}
