// Percentile bootstrap intervals, deterministic for a seed. Efron & Tibshirani, An Introduction to the Bootstrap, ch. 13.
import { ShapeError } from "../torch/index.ts";
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

/** How statistics of images are resampled. */
export interface ResamplingOptions extends BootstrapOptions {
  /**
   * Images of each prompt, in their order: each is resampled within its own. Default: all together, as also when a prompt
   * has a single image.
   */
  strata?: readonly number[];
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
  const { indices, draw } = drawing(typeof sizes === "number" ? [sizes] : sizes, fastRandom(seed));
  const values = new Float64Array(resamples);
  for (let r = 0; r < resamples; r++) {
    draw();
    values[r] = statistic(indices);
  }
  return percentileInterval(values, level);
}

/** Indices of items drawn with replacement within their stratum: `draw` fills `indices` anew. */
export function drawing(
  strata: readonly number[],
  random: () => number,
): { indices: Int32Array; draw: () => void } {
  const total = strata.reduce((sum, size) => sum + size, 0);
  if (!(total > 0) || strata.some((size) => !Number.isInteger(size) || size < 0))
    throw new ShapeError(
      `bootstrap of [${strata.join(", ")}] items; expected integers >= 0, at least one item.`,
    );
  const indices = new Int32Array(total);
  const draw = () => {
    let start = 0;
    for (const size of strata) {
      for (let i = start; i < start + size; i++) indices[i] = start + Math.floor(random() * size);
      start += size;
    }
  };
  return { indices, draw };
}

/**
 * The strata of `images`; all in one when one holds a single image, which has no spread of its own.
 * @throws ShapeError when they are not as many as there are images.
 */
export function strataOf(images: number, strata: readonly number[] = [images]): readonly number[] {
  const total = strata.reduce((sum, size) => sum + size, 0);
  if (total !== images)
    throw new ShapeError(`strata [${strata.join(", ")}] of ${images} images; expected them to add up.`);
  return strata.includes(1) ? [images] : strata;
}

/** Interval of the mean of numbers. */
export function meanInterval(
  values: ArrayLike<number>,
  { strata, ...options }: ResamplingOptions = {},
): Interval {
  const mean = (indices: Int32Array): number => {
    let sum = 0;
    for (let i = 0; i < indices.length; i++) sum += values[indices[i]!]!;
    return sum / indices.length;
  };
  return bootstrapInterval(strataOf(values.length, strata), mean, options);
}

/** Mean of numbers with its interval, such as CLIP-T from one score per image. */
export function meanEstimate(values: ArrayLike<number>, options: ResamplingOptions = {}): Estimate {
  const interval = meanInterval(values, options);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return { value: sum / values.length, interval };
}

/** Share of true (1) values with its interval, e.g. an accuracy from one 0/1 entry per image. */
export function shareEstimate(hits: ArrayLike<number | boolean>, options: BootstrapOptions = {}): Estimate {
  return meanEstimate(Float64Array.from(hits, Number), options);
}

/** Interval between the outer quantiles of replicates, which it sorts. */
export function percentileInterval(values: Float64Array, level: number): Interval {
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
