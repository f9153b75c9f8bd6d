// From the loss profile of each image to one score: standardise within each caption, then weight each column by how
// clearly its losses form two populations. No label is used.
import type { Signal } from "./signals.ts";

/** Bimodality coefficient above which a uniform distribution lies below: "two populations". */
export const BIMODALITY_THRESHOLD = 5 / 9;

/** Sarle's bimodality coefficient (skewness^2 + 1) / kurtosis: 1/3 for a normal, 5/9 for a uniform, up to 1. */
export function bimodality(values: ArrayLike<number>): number {
  const { mean, variance } = moments(values);
  if (!(variance > 0)) return 0;
  let third = 0;
  let fourth = 0;
  for (let i = 0; i < values.length; i++) {
    const d = (values[i]! - mean) / Math.sqrt(variance);
    third += d ** 3;
    fourth += d ** 4;
  }
  return ((third / values.length) ** 2 + 1) / (fourth / values.length);
}

function moments(values: ArrayLike<number>): { mean: number; variance: number } {
  let mean = 0;
  for (let i = 0; i < values.length; i++) mean += values[i]! / values.length;
  let variance = 0;
  for (let i = 0; i < values.length; i++) variance += (values[i]! - mean) ** 2 / values.length;
  return { mean, variance };
}

/** Rows of each bucket; captions with too few images to have a distribution of their own share one bucket. */
export function captionBuckets(captionOf: Int32Array, atLeast = 30): number[][] {
  const byCaption = new Map<number, number[]>();
  captionOf.forEach((caption, row) => {
    const rows = byCaption.get(caption);
    if (rows) rows.push(row);
    else byCaption.set(caption, [row]);
  });
  const all = [...byCaption.values()];
  const rare = all.filter((rows) => rows.length < atLeast).flat();
  const buckets = all.filter((rows) => rows.length >= atLeast);
  return rare.length > 0 ? [...buckets, rare] : buckets;
}

export interface ProfileScore {
  /** Combined standardised loss of each image, [N]: high = badly known by the base. */
  readonly scores: Float64Array;
  /** Bimodality coefficient of each column, averaged over the captions. */
  readonly bimodality: readonly number[];
  /** Weight of each column in the score; they sum to 1. */
  readonly weights: readonly number[];
}

/** Standardises every column within each bucket and combines the columns by their bimodality. */
export function profileScore(
  { losses, columns }: Signal,
  buckets: readonly (readonly number[])[],
): ProfileScore {
  const width = columns.length;
  const count = losses.length / width;
  const standard = new Float64Array(losses.length);
  const coefficients = columns.map((_, column) => {
    let coefficient = 0;
    for (const rows of buckets) {
      const values = rows.map((row) => losses[row * width + column]!);
      const { mean, variance } = moments(values);
      const deviation = Math.sqrt(variance) || 1;
      rows.forEach((row, i) => (standard[row * width + column] = (values[i]! - mean) / deviation));
      coefficient += (bimodality(values) * rows.length) / count;
    }
    return coefficient;
  });
  const excess = coefficients.map((coefficient) => Math.max(0, coefficient - BIMODALITY_THRESHOLD));
  const total = excess.reduce((sum, value) => sum + value, 0);
  const weights = excess.map((value) => (total > 0 ? value / total : 1 / width));
  const scores = Float64Array.from({ length: count }, (_, row) =>
    weights.reduce((sum, weight, column) => sum + weight * standard[row * width + column]!, 0),
  );
  return { scores, bimodality: coefficients, weights };
}
