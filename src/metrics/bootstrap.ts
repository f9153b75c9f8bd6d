// Percentile bootstrap intervals, deterministic for a seed. Efron & Tibshirani, An Introduction to the Bootstrap, ch. 13.
import { ShapeError } from "../torch/index.ts";
import { normalisedBias } from "./bias.ts";
import { fastRandom } from "./fast-random.ts";

/** Lower and upper end of an interval. */
export type Interval = readonly [low: number, high: number];

/** How intervals are computed. */
export interface BootstrapOptions {
  /** Number of resamples; default 2000. */
  resamples?: number;
  /** Seed of the resampling; default 0. */
  seed?: number;
  /** Share of the resamples inside the interval; default 0.95. */
  level?: number;
}

/** A statistic with its interval. */
export interface Estimate {
  value: number;
  interval: Interval;
}

/**
 * Percentile interval of any statistic of a set of indices.
 *
 * @param sizes number of items, or one number per stratum: items are resampled with replacement within their stratum;
 *   strata follow one another in the index range.
 * @param statistic receives the indices of one resample; the array is reused, so it must not be kept.
 */
export function bootstrapInterval(
  sizes: number | readonly number[],
  statistic: (indices: Int32Array) => number,
  { resamples = 2000, seed = 0, level = 0.95 }: BootstrapOptions = {},
): Interval {
  const strata = typeof sizes === "number" ? [sizes] : sizes;
  const total = strata.reduce((sum, size) => sum + size, 0);
  if (!(total > 0) || strata.some((size) => !Number.isInteger(size) || size < 0))
    throw new ShapeError(
      `bootstrap of [${strata.join(", ")}] items; expected integers >= 0, at least one item.`,
    );
  const random = fastRandom(seed);
  const indices = new Int32Array(total);
  const values = new Float64Array(resamples);
  for (let r = 0; r < resamples; r++) {
    let start = 0;
    for (const size of strata) {
      for (let i = 0; i < size; i++) indices[start + i] = start + Math.floor(random() * size);
      start += size;
    }
    values[r] = statistic(indices);
  }
  return percentileInterval(values, level);
}

/** Share of true (1) values with its interval, e.g. an accuracy from one 0/1 entry per image. */
export function shareEstimate(hits: ArrayLike<number | boolean>, options: BootstrapOptions = {}): Estimate {
  const share = (indices: ArrayLike<number>) => {
    let sum = 0;
    for (let i = 0; i < indices.length; i++) sum += Number(hits[indices[i]!]);
    return sum / indices.length;
  };
  const interval = bootstrapInterval(hits.length, share, options);
  return { value: share(Array.from({ length: hits.length }, (_, i) => i)), interval };
}

/** Normalised Bias (0..1) with intervals, per prompt and over all prompts. */
export interface BiasEstimate {
  overall: Estimate;
  perPrompt: Estimate[];
}

/**
 * Normalised Bias of `counts[prompt][value]` with intervals; each resample redraws every prompt's images.
 * A percentile interval of an absolute difference never reaches below 0, and it is empty when all images agree.
 */
export function biasEstimate(
  counts: readonly (readonly number[])[],
  { resamples = 2000, seed = 0, level = 0.95 }: BootstrapOptions = {},
): BiasEstimate {
  const values = counts.map(normalisedBias);
  const random = fastRandom(seed);
  const perPrompt = counts.map(() => new Float64Array(resamples));
  const labels = counts.map(labelsOf);
  const overall = new Float64Array(resamples);
  for (let r = 0; r < resamples; r++) {
    for (let p = 0; p < counts.length; p++) {
      const score = normalisedBias(resampledCounts(labels[p]!, counts[p]!.length, random));
      perPrompt[p]![r] = score;
      overall[r]! += score / counts.length;
    }
  }
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    overall: { value: mean, interval: percentileInterval(overall, level) },
    perPrompt: values.map((value, p) => ({ value, interval: percentileInterval(perPrompt[p]!, level) })),
  };
}

function labelsOf(counts: readonly number[]): Uint16Array {
  const labels = new Uint16Array(counts.reduce((sum, count) => sum + count, 0));
  let start = 0;
  counts.forEach((count, label) => labels.fill(label, start, (start += count)));
  return labels;
}

function resampledCounts(labels: Uint16Array, classes: number, random: () => number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (let i = 0; i < labels.length; i++) counts[labels[Math.floor(random() * labels.length)]!]!++;
  return counts;
}

function percentileInterval(values: Float64Array, level: number): Interval {
  values.sort();
  const tail = (1 - level) / 2;
  return [quantileOfSorted(values, tail), quantileOfSorted(values, 1 - tail)];
}

/** Quantile of ascending values with linear interpolation between neighbours (NumPy's default). */
export function quantileOfSorted(values: ArrayLike<number>, q: number): number {
  const position = q * (values.length - 1);
  const below = Math.floor(position);
  const low = values[below]!;
  const high = values[Math.min(below + 1, values.length - 1)]!;
  return low + (high - low) * (position - below);
}
