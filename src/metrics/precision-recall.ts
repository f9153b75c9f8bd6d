// Improved precision and recall. Kynkaanniemi et al. 2019, arXiv 1904.06991, eq. 1-3; strict comparison as in the reference
// (src/utils/score).
import { noGrad, scope, ShapeError } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";
import { requireFeatures } from "./fid.ts";

/** Share of generated images that look real (precision) and of real images that the model can make (recall). */
export interface PrecisionRecall {
  precision: number;
  recall: number;
}

/**
 * Improved precision and recall in float64 (N x M distances are held at once: 32 MB for 2,000 x 2,000).
 *
 * @param real [N, D], N > neighbours
 * @param fake [M, D], M > neighbours
 */
export function improvedPrecisionRecall(
  real: Tensor,
  fake: Tensor,
  { neighbours = 3 }: { neighbours?: number } = {},
): PrecisionRecall {
  requireFeatures(real, fake);
  const smallest = Math.min(real.shape[0]!, fake.shape[0]!);
  if (!Number.isInteger(neighbours) || neighbours < 1 || smallest <= neighbours)
    throw new ShapeError(
      `${neighbours} neighbours among ${smallest} images; expected an integer from 1 to the number of images - 1.`,
    );
  return noGrad(() =>
    scope(() => {
      const a = real.to("float64");
      const b = fake.to("float64");
      return { precision: covered(a, b, neighbours), recall: covered(b, a, neighbours) };
    }),
  );
}

/** Share of `points` closer to some `centre` than that centre's k-th neighbour among the centres. */
function covered(centres: Tensor, points: Tensor, k: number): number {
  // The nearest of the k + 1 smallest distances is the centre itself.
  const [nearest] = squaredDistances(centres, centres).topk(k + 1, -1, false);
  const radii = nearest.amax([1], true).sqrt();
  const inside = squaredDistances(centres, points).sqrt().lt(radii);
  return inside.to("float64").amax([0]).mean().item();
}

function squaredDistances(x: Tensor, y: Tensor): Tensor {
  const norms = x
    .square()
    .sum([1], true)
    .add(y.square().sum([1], true).transpose(0, 1));
  return norms.sub(x.matmul(y.transpose(0, 1)), { alpha: 2 }).clamp(0);
}
