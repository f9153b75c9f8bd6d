// LPIPS diversity: how different the images of one prompt are from each other (Zhang et al. 2018, arXiv 1801.03924, for
// the distance). Reference: src/test.py get_lpips_score, which averages over all ordered pairs, each image with itself
// included: smaller by the factor (n - 1) / n.
import { ShapeError } from "../torch/index.ts";
import { type PromptEstimates, promptEstimates } from "./bias-estimate.ts";
import { type BootstrapOptions, drawing } from "./bootstrap.ts";
import { fastRandom } from "./fast-random.ts";

/** Diversity per prompt and over the prompts. */
export interface DiversityEstimate extends PromptEstimates {
  /** The reference's value of each prompt. */
  reference: { overall: number; perPrompt: number[] };
}

/** The pairs i < j of n images, in the order in which their distances are given: (0,1), (0,2), ..., (1,2), ... */
export function imagePairs(n: number): [i: number, j: number][] {
  const pairs: [number, number][] = [];
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) pairs.push([i, j]);
  return pairs;
}

/**
 * Mean distance over the distinct pairs of each prompt's images, and over the prompts. The interval comes from a bootstrap
 * of images, not of pairs, which hang together; a pair of two copies of one image is no pair.
 *
 * @param distances of the pairs of each prompt, n (n - 1) / 2 numbers in the order of {@link imagePairs}
 * @throws ShapeError for no prompt or another number of distances.
 */
export function diversityEstimate(
  distances: readonly ArrayLike<number>[],
  { resamples = 2000, seed = 0, level = 0.95 }: BootstrapOptions = {},
): DiversityEstimate {
  if (distances.length === 0) throw new ShapeError("diversity of no prompt; expected at least one.");
  const images = distances.map(({ length }) => imagesOfPairs(length));
  const values = distances.map((own, p) => weightedMean(own, new Float64Array(images[p]!).fill(1)));
  const random = fastRandom(seed);
  const draws = images.map((n) => drawing([n], random));
  const replicates = distances.map((own, p) => {
    const { indices, draw } = draws[p]!;
    const counts = new Float64Array(indices.length);
    return Float64Array.from({ length: resamples }, () => {
      // A resample of one image alone has no pair.
      do {
        draw();
        counts.fill(0);
        for (const i of indices) counts[i]!++;
      } while (counts[indices[0]!] === indices.length);
      return weightedMean(own, counts);
    });
  });
  const perPrompt = values.map((value, p) => (value * (images[p]! - 1)) / images[p]!);
  return {
    ...promptEstimates(values, replicates, level),
    reference: { overall: perPrompt.reduce((sum, x) => sum + x, 0) / perPrompt.length, perPrompt },
  };
}

function imagesOfPairs(pairs: number): number {
  const images = Math.round((1 + Math.sqrt(1 + 8 * pairs)) / 2);
  if (pairs < 1 || (images * (images - 1)) / 2 !== pairs)
    throw new ShapeError(
      `${pairs} pair distances; expected n (n - 1) / 2 of them for n images, n at least 2.`,
    );
  return images;
}

/** Sum over i < j of c_i c_j d_ij, divided by that of c_i c_j. */
function weightedMean(distances: ArrayLike<number>, counts: Float64Array): number {
  let sum = 0;
  let weight = 0;
  for (let i = 0, at = 0; i < counts.length; i++) {
    const own = counts[i]!;
    if (own === 0) {
      at += counts.length - 1 - i;
      continue;
    }
    for (let j = i + 1; j < counts.length; j++, at++) {
      const both = own * counts[j]!;
      sum += both * distances[at]!;
      weight += both;
    }
  }
  return sum / weight;
}
