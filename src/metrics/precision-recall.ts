// Improved precision and recall. Kynkaanniemi et al. 2019, arXiv 1904.06991, eq. 1-3; strict comparison as in the reference
// (src/utils/score/improved_prd.py, which takes k = 2 there).
import { noGrad, type Tensor } from "../torch/index.ts";
import { insideBalls } from "./manifold.ts";
import { neighbourRadii, requireNeighbours } from "./neighbours.ts";

/** Share of generated images that look real (precision) and of real images that the model can make (recall). */
export interface PrecisionRecall {
  precision: number;
  recall: number;
}

/**
 * Improved precision and recall in float64, blockwise.
 *
 * @param real [N, D], N > neighbours
 * @param fake [M, D], M > neighbours
 */
export function improvedPrecisionRecall(
  real: Tensor,
  fake: Tensor,
  { neighbours = 3 }: { neighbours?: number } = {},
): PrecisionRecall {
  requireNeighbours(real, fake, neighbours);
  return noGrad(() => ({
    precision: shareOf(insideBalls(real, neighbourRadii(real, neighbours), fake).pointIn),
    recall: shareOf(insideBalls(fake, neighbourRadii(fake, neighbours), real).pointIn),
  }));
}

/** Share of the entries that are not 0. */
export function shareOf(entries: ArrayLike<number>): number {
  let hits = 0;
  for (let i = 0; i < entries.length; i++) if (entries[i]! > 0) hits++;
  return hits / entries.length;
}
