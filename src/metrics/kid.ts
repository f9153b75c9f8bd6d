// Kernel distance between two sets of features (KID when the features are Inception's pool3).
// Binkowski et al. 2018, arXiv 1801.01401, section 3: the unbiased squared maximum mean discrepancy with the cubic kernel
// (x.y / D + 1)^3. Unlike the Frechet distance it has the same expectation for any number of images; it may be below 0.
import { noGrad, ones, scope, tensor, type Tensor } from "../torch/index.ts";
import { drawing, percentileInterval, type ResamplingOptions, strataOf } from "./bootstrap.ts";
import { fastRandom } from "./fast-random.ts";
import type { InfluenceEstimate } from "./fid-estimate.ts";
import { crossSums, kernelRowSums, pairSums } from "./kernel-sums.ts";
import { requireFeatures } from "./moments.ts";

/** Unbiased squared MMD of real [N, D] and fake [M, D], float64, all images at once; blockwise. */
export function kernelDistance(real: Tensor, fake: Tensor): number {
  requireFeatures(real, fake);
  return noGrad(() =>
    scope(() => {
      const [n, m] = [real.shape[0]!, fake.shape[0]!];
      const between = kernelRowSums(fake, real).reduce((sum, own) => sum + own, 0);
      return wholeSum(real) / (n * (n - 1)) + wholeSum(fake) / (m * (m - 1)) - (2 * between) / (n * m);
    }),
  );
}

/** Sum of the kernel over the pairs of different rows. */
const wholeSum = (x: Tensor): number => pairSums(x, ones([1, x.shape[0]!], { dtype: "float64" }))[0]!;

/**
 * The kernel distance and where it would lie with other generated images of the same number; the real ones are held fixed.
 *
 * A resample counts image i c_i times. Its statistic takes pairs of different images only, each c_i c_j times: two copies of
 * one image are no two images, and their kernel, the largest, would move every resample away from the value.
 * For sets that hardly differ the interval is too wide, by up to sqrt(3): the U-statistic is then degenerate.
 */
export function kernelEstimate(
  real: Tensor,
  fake: Tensor,
  { resamples = 2000, seed = 0, level = 0.95, strata }: ResamplingOptions = {},
): InfluenceEstimate {
  requireFeatures(real, fake);
  const [n, m] = [real.shape[0]!, fake.shape[0]!];
  return noGrad(() =>
    scope(() => {
      const within = wholeSum(real) / (n * (n - 1));
      const toReal = kernelRowSums(fake, real).map((sum) => sum / n);
      const toFake = kernelRowSums(fake, fake, { skipSame: true }).map((sum) => sum / (m - 1));
      const counts = drawnCounts(strataOf(m, strata), resamples, fastRandom(seed));
      const pairs = pairSums(fake, tensor(counts, { shape: [resamples, m] }));
      const replicates = pairs.map((sum, r) => {
        const own = counts.subarray(r * m, (r + 1) * m);
        const norm = own.reduce((total, c) => total + c * c, 0);
        const cross = own.reduce((total, c, j) => total + c * toReal[j]!, 0);
        return within + sum / (m * m - norm) - (2 * cross) / m;
      });
      const raw = toFake.map((sum, j) => 2 * (sum - toReal[j]!));
      const mean = raw.reduce((sum, x) => sum + x, 0) / m;
      return {
        value: within + mean - toFake.reduce((sum, x) => sum + x, 0) / m,
        interval: percentileInterval(replicates, level),
        influence: raw.map((x) => x - mean),
      };
    }),
  );
}

/** How often each image is drawn in each resample, [resamples][images]. */
function drawnCounts(strata: readonly number[], resamples: number, random: () => number): Float64Array {
  const { indices, draw } = drawing(strata, random);
  const counts = new Float64Array(resamples * indices.length);
  for (let r = 0; r < resamples; r++) {
    // A resample of one image alone has no pair.
    do draw();
    while (indices.length > 1 && indices.every((own) => own === indices[0]));
    for (let i = 0; i < indices.length; i++) counts[r * indices.length + indices[i]!]!++;
  }
  return counts;
}

/** Mean and deviation over subsets. */
export interface SubsetDistance {
  readonly mean: number;
  readonly std: number;
}

/**
 * The kernel distance as it is usually reported: mean and (population) deviation over random subsets of both sets, drawn
 * without replacement. Its mean estimates the same as {@link kernelDistance}, with more noise.
 *
 * @param subsetSize default 1000; less when a set has fewer images.
 */
export function kernelDistanceOfSubsets(
  real: Tensor,
  fake: Tensor,
  {
    subsets = 100,
    subsetSize = 1000,
    seed = 0,
  }: { subsets?: number; subsetSize?: number; seed?: number } = {},
): SubsetDistance {
  requireFeatures(real, fake);
  const [n, m] = [real.shape[0]!, fake.shape[0]!];
  const size = Math.min(subsetSize, n, m);
  const random = fastRandom(seed);
  const distances = noGrad(() =>
    scope(() => {
      const chosen = [n, m].map((images) =>
        tensor(subsetMasks(images, size, subsets, random), { shape: [subsets, images] }),
      );
      const [ofReal, ofFake] = chosen as [Tensor, Tensor];
      const [xx, yy] = [pairSums(real, ofReal), pairSums(fake, ofFake)];
      const pairs = size * (size - 1);
      return crossSums([real, ofReal], [fake, ofFake]).map(
        (xy, s) => (xx[s]! + yy[s]!) / pairs - (2 * xy) / size ** 2,
      );
    }),
  );
  const mean = distances.reduce((sum, x) => sum + x, 0) / subsets;
  const variance = distances.reduce((sum, x) => sum + (x - mean) ** 2, 0) / subsets;
  return { mean, std: Math.sqrt(variance) };
}

/** [subsets][images], 1 where the image belongs to the subset. */
function subsetMasks(images: number, size: number, subsets: number, random: () => number): Float64Array {
  const masks = new Float64Array(subsets * images);
  const order = Int32Array.from({ length: images }, (_, i) => i);
  for (let s = 0; s < subsets; s++)
    for (let i = 0; i < size; i++) {
      const j = i + Math.floor(random() * (images - i));
      [order[i], order[j]] = [order[j]!, order[i]!];
      masks[s * images + order[i]!] = 1;
    }
  return masks;
}
