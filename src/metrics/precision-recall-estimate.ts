// Precision, recall, density and coverage with intervals: where they would lie with other generated images of the same
// number; the real images are held fixed.
//
// Precision and density are means over the generated images, so that a bootstrap of these is right. Recall and coverage are
// not: a generated image drawn twice is its own nearest neighbour, and 37 % of the images are missing from every resample.
// They are recomputed on halves drawn without replacement instead (half-sampling: Politis, Romano & Wolf 1999, Subsampling,
// section 2.3): the spread of m of M images, times sqrt(m / (M - m)), is that of M. Simulated against fresh images, the
// intervals of recall are 0.85-1.06 as wide as they should be, those of coverage 0.8-1.8 (too wide where it is near 1).
import { noGrad, type Tensor } from "../torch/index.ts";
import { type Estimate, type Interval, meanEstimate, percentileInterval } from "./bootstrap.ts";
import { type ResamplingOptions, strataOf } from "./bootstrap.ts";
import { halvesOf } from "./halves.ts";
import { insideBalls } from "./manifold.ts";
import { coveredByHalf, nearestFakes, recalledByHalf, type RecallLists, recallLists } from "./near-lists.ts";
import { neighbourRadii, requireNeighbours } from "./neighbours.ts";
import { shareOf } from "./precision-recall.ts";

export interface PrecisionRecallOptions extends ResamplingOptions {
  /** k of precision and recall; default 3. */
  neighbours?: number;
  /** k of density and coverage; default 5. */
  densityNeighbours?: number;
}

/** An estimate with the replicates its interval is made of: those of one seed belong together, see `pairedReplicates`. */
export interface ReplicateEstimate extends Estimate {
  /** Deviations from the value, one per resample. */
  readonly deviations: Float64Array;
}

export interface PrecisionRecallEstimate {
  readonly precision: Estimate;
  readonly recall: ReplicateEstimate;
  readonly density: Estimate;
  readonly coverage: ReplicateEstimate;
  readonly perImage: {
    /** 1: this generated image lies among the real ones. [M] */
    readonly precision: Float64Array;
    /** In how many real balls this generated image lies, divided by k. [M] */
    readonly density: Float64Array;
    /** 1: this real image lies among the generated ones. [N] */
    readonly recall: Float64Array;
    /** 1: this real image has a generated one near. [N] */
    readonly coverage: Float64Array;
  };
}

/** All four with intervals, blockwise: 5,000 x 5,000 images of 2,048 dimensions stay below 1 GB. */
export function precisionRecallEstimate(
  real: Tensor,
  fake: Tensor,
  { neighbours = 3, densityNeighbours = 5, ...options }: PrecisionRecallOptions = {},
): PrecisionRecallEstimate {
  requireNeighbours(real, fake, Math.max(neighbours, densityNeighbours));
  return noGrad(() => {
    const inReal = insideBalls(real, neighbourRadii(real, neighbours), fake);
    const denseRadii = neighbourRadii(real, densityNeighbours);
    const dense = densityNeighbours === neighbours ? inReal : insideBalls(real, denseRadii, fake);
    const lists = recallLists(real, fake, neighbours);
    const near = nearestFakes(real, fake, denseRadii);
    const inFake = insideBalls(fake, lists.radii, real);
    const perImage = {
      precision: inReal.pointIn.map(isAny),
      density: dense.pointIn.map((balls) => balls / densityNeighbours),
      recall: inFake.pointIn.map(isAny),
      coverage: dense.ballHolds.map(isAny),
    };
    const halves = halfEstimates(lists, near, fake.shape[0]!, { ...options, neighbours });
    return {
      precision: meanEstimate(perImage.precision, options),
      density: meanEstimate(perImage.density, options),
      recall: around(shareOf(perImage.recall), halves.recall, options),
      coverage: around(shareOf(perImage.coverage), halves.coverage, options),
      perImage,
    };
  });
}

const isAny = (count: number): number => +(count > 0);

/** Recall and coverage of halves of the generated images. */
function halfEstimates(
  lists: RecallLists,
  near: Int32Array[],
  images: number,
  { neighbours, strata, resamples = 2000, seed = 0 }: ResamplingOptions & { neighbours: number },
) {
  const halves = halvesOf(strataOf(images, strata), { atLeast: neighbours + 1, seed });
  const recall = new Float64Array(resamples);
  const coverage = new Float64Array(resamples);
  for (let r = 0; r < resamples; r++) {
    const chosen = halves.draw();
    recall[r] = recalledByHalf(lists, chosen);
    coverage[r] = coveredByHalf(near, chosen);
  }
  return { recall: deviations(recall, halves.scale), coverage: deviations(coverage, halves.scale) };
}

function deviations(replicates: Float64Array, scale: number): Float64Array {
  const mean = replicates.reduce((sum, x) => sum + x, 0) / replicates.length;
  return replicates.map((x) => (x - mean) * scale);
}

function around(value: number, own: Float64Array, { level = 0.95 }: ResamplingOptions): ReplicateEstimate {
  const [low, high] = percentileInterval(own.slice(), level);
  // Where nearly all halves agree, both ends may lie on one side of their mean; the value belongs to the interval.
  const interval: Interval = [Math.max(0, value + Math.min(low, 0)), Math.min(1, value + Math.max(high, 0))];
  return { value, interval, deviations: own };
}
