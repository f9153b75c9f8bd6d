// Whether numbers fall into two populations, by their moments alone.

/** Bimodality coefficient above which a uniform distribution lies below: "two populations". */
export const BIMODALITY_THRESHOLD = 5 / 9;

/** Mean and (population) variance; 0 and 0 of nothing. */
export function meanVariance(values: ArrayLike<number>): { mean: number; variance: number } {
  let mean = 0;
  for (let i = 0; i < values.length; i++) mean += values[i]! / values.length;
  let variance = 0;
  for (let i = 0; i < values.length; i++) variance += (values[i]! - mean) ** 2 / values.length;
  return { mean, variance };
}

/** Sarle's bimodality coefficient (skewness^2 + 1) / kurtosis: 1/3 for a normal, 5/9 for a uniform, up to 1. */
export function bimodality(values: ArrayLike<number>): number {
  const { mean, variance } = meanVariance(values);
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
