// Comparing two models that made images from the same prompts and seeds: image i of one and image i of the other are a
// pair, and what they share (an easy prompt, a lucky seed) cancels. Intervals: bootstrap of pairs. p-values: permutation
// of each pair's members (Good 2005, Permutation, Parametric and Bootstrap Tests, section 3.2).
import { ShapeError } from "../torch/index.ts";
import { type BootstrapOptions, type Interval, meanInterval } from "./bootstrap.ts";
import { percentileInterval, type ResamplingOptions } from "./bootstrap.ts";
import { fastRandom } from "./fast-random.ts";
import type { InfluenceEstimate } from "./fid-estimate.ts";
import type { ReplicateEstimate } from "./precision-recall-estimate.ts";

/** How much b is above a. */
export interface Comparison {
  /** b minus a. */
  readonly difference: number;
  readonly interval: Interval;
  /** Two-sided: how often a difference at least as large arises when the models are equal. */
  readonly pValue: number;
}

/** p-value of a number that at least `extreme` of `count` random ones reach: never 0, as it counts among them itself. */
export const permutationPValue = (extreme: number, count: number): number => (extreme + 1) / (count + 1);

/** Relative rounding within which two differences count as equal. */
const SAME = 1e-9;

/** Whether a random difference is at least as large as the observed one. */
export const reaches = (random: number, observed: number): boolean =>
  Math.abs(random) >= Math.abs(observed) * (1 - SAME) - Number.EPSILON;

/** Difference of the means of one number per image, such as CLIP-T, accuracy, precision or density. */
export function pairedMeans(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  options: ResamplingOptions = {},
): Comparison {
  if (a.length !== b.length || a.length === 0)
    throw new ShapeError(
      `pairs of ${a.length} and ${b.length} images; expected two models' images of the same seeds, at least one.`,
    );
  const differences = Float64Array.from({ length: a.length }, (_, i) => b[i]! - a[i]!);
  const difference = meanOf(differences);
  return {
    difference,
    interval: meanInterval(differences, options),
    pValue: signFlipPValue(differences, difference, options),
  };
}

/**
 * Difference of two FIDs or KIDs against the same real images, by the influence of each image: value + influence is the
 * image's pseudo-value, and the mean of these is the distance.
 */
export function pairedInfluence(
  a: InfluenceEstimate,
  b: InfluenceEstimate,
  options: ResamplingOptions = {},
): Comparison {
  const pseudo = ({ value, influence }: InfluenceEstimate) => influence.map((x) => value + x);
  return pairedMeans(pseudo(a), pseudo(b), options);
}

/** Difference of two recalls or coverages, of estimates made with the same seed and resamples: the same halves of seeds. */
export function pairedReplicates(
  a: ReplicateEstimate,
  b: ReplicateEstimate,
  { level = 0.95 }: BootstrapOptions = {},
): Comparison {
  if (a.deviations.length !== b.deviations.length || a.deviations.length === 0)
    throw new ShapeError(
      `${a.deviations.length} and ${b.deviations.length} replicates; expected as many of both, at least one.`,
    );
  const difference = b.value - a.value;
  const deviations = a.deviations.map((own, r) => b.deviations[r]! - own);
  const extreme = deviations.filter((own) => reaches(own, difference)).length;
  const [low, high] = percentileInterval(deviations, level);
  return {
    difference,
    interval: [difference + low, difference + high],
    pValue: permutationPValue(extreme, deviations.length),
  };
}

function signFlipPValue(
  differences: Float64Array,
  observed: number,
  { resamples = 2000, seed = 0 }: BootstrapOptions,
): number {
  const random = fastRandom(seed + 1);
  let extreme = 0;
  for (let r = 0; r < resamples; r++) {
    let sum = 0;
    for (let i = 0; i < differences.length; i++) sum += random() < 0.5 ? differences[i]! : -differences[i]!;
    if (reaches(sum / differences.length, observed)) extreme++;
  }
  return permutationPValue(extreme, resamples);
}

function meanOf(values: Float64Array): number {
  return values.reduce((sum, x) => sum + x, 0) / values.length;
}
