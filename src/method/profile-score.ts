// From the loss profile of each image to one score: each column, standardised within each caption, is weighted by how
// clearly its losses form two populations. No label is used.
import { bimodality, BIMODALITY_THRESHOLD } from "../metrics/index.ts";

export interface ProfileScore {
  /** Combined standardised loss of each image, [N]: high = badly known by the base. */
  readonly scores: Float64Array;
  /** Bimodality coefficient of each column, averaged over the captions. */
  readonly bimodality: readonly number[];
  /** Weight of each column in the score; they sum to 1. */
  readonly weights: readonly number[];
}

/** Combines the columns, standardised within each bucket (`standardise`), by their bimodality. */
export function profileScore(
  standard: Float64Array,
  width: number,
  buckets: readonly (readonly number[])[],
): ProfileScore {
  const count = standard.length / width;
  const coefficients = Array.from({ length: width }, (_, column) =>
    buckets.reduce((sum, rows) => {
      const values = rows.map((row) => standard[row * width + column]!);
      return sum + (bimodality(values) * rows.length) / count;
    }, 0),
  );
  const excess = coefficients.map((coefficient) => Math.max(0, coefficient - BIMODALITY_THRESHOLD));
  const total = excess.reduce((sum, value) => sum + value, 0);
  const weights = excess.map((value) => (total > 0 ? value / total : 1 / width));
  const scores = Float64Array.from({ length: count }, (_, row) =>
    weights.reduce((sum, weight, column) => sum + weight * standard[row * width + column]!, 0),
  );
  return { scores, bimodality: coefficients, weights };
}
