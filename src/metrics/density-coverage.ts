// Density and coverage. Naeem et al. 2020, arXiv 2002.09797, eq. 4-5: both use balls around the real images only, which
// one odd generated image cannot blow up.
import { noGrad, type Tensor } from "../torch/index.ts";
import { insideBalls } from "./manifold.ts";
import { neighbourRadii, requireNeighbours } from "./neighbours.ts";
import { shareOf } from "./precision-recall.ts";

/** How densely the generated images lie where real ones do, and how many real ones have a generated one near. */
export interface DensityCoverage {
  /** Mean over the generated images of (number of real balls they lie in) / k; about 1 for equal distributions, may exceed it. */
  density: number;
  /** Share of real images whose ball holds a generated image. */
  coverage: number;
}

/** Density and coverage in float64, blockwise; the paper takes k = 5. */
export function densityCoverage(
  real: Tensor,
  fake: Tensor,
  { neighbours = 5 }: { neighbours?: number } = {},
): DensityCoverage {
  requireNeighbours(real, fake, neighbours);
  const { pointIn, ballHolds } = noGrad(() => insideBalls(real, neighbourRadii(real, neighbours), fake));
  const inAll = pointIn.reduce((sum, balls) => sum + balls, 0);
  return { density: inAll / pointIn.length / neighbours, coverage: shareOf(ballHolds) };
}
