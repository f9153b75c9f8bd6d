// A histogram as event files store it: moments, and counts between rising upper limits.

export interface Histogram {
  readonly min: number;
  readonly max: number;
  readonly count: number;
  readonly sum: number;
  readonly sumOfSquares: number;
  /** Upper limit of each bucket, the last one being `max`; a bucket holds its lower limit and not its upper one, the last both. */
  readonly limits: readonly number[];
  readonly counts: readonly number[];
}

const BUCKETS = 30;

/** Thirty buckets of one width from the smallest to the largest finite value, or a single one if these are equal. */
export function histogramOf(values: ArrayLike<number>): Histogram {
  let [min, max, count, sum, sumOfSquares] = [Infinity, -Infinity, 0, 0, 0];
  const finite: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!Number.isFinite(value)) continue;
    finite.push(value);
    min = Math.min(min, value);
    max = Math.max(max, value);
    count++;
    sum += value;
    sumOfSquares += value * value;
  }
  if (count === 0) return { min: 0, max: 0, count, sum, sumOfSquares, limits: [0], counts: [0] };
  const buckets = max > min ? BUCKETS : 1;
  const width = (max - min) / buckets;
  const limits = Array.from({ length: buckets }, (_, i) => (i === buckets - 1 ? max : min + (i + 1) * width));
  const counts = limits.map(() => 0);
  for (const value of finite) {
    let bucket = width > 0 ? Math.min(buckets - 1, Math.floor((value - min) / width)) : 0;
    // The quotient may be rounded across a limit.
    while (bucket < buckets - 1 && value >= limits[bucket]!) bucket++;
    while (bucket > 0 && value < limits[bucket - 1]!) bucket--;
    counts[bucket]!++;
  }
  return { min, max, count, sum, sumOfSquares, limits, counts };
}
