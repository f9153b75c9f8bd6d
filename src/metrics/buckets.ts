// Rows that are compared with each other only: the images of one caption.
import { meanVariance } from "./bimodality.ts";

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

/** Every column with mean 0 and variance 1 within each bucket, [N][width]. */
export function standardise(
  table: ArrayLike<number>,
  width: number,
  buckets: readonly (readonly number[])[],
): Float64Array {
  const standard = new Float64Array(table.length);
  for (const rows of buckets)
    for (let column = 0; column < width; column++) {
      const values = rows.map((row) => table[row * width + column]!);
      const { mean, variance } = meanVariance(values);
      const deviation = Math.sqrt(variance) || 1;
      rows.forEach((row, i) => (standard[row * width + column] = (values[i]! - mean) / deviation));
    }
  return standard;
}
