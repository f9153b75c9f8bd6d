// Nearest neighbours among features, in squared Euclidean distances and float64; a block of rows at a time.
import { scope, ShapeError, type Tensor } from "../torch/index.ts";
import { ROWS_AT_ONCE, requireFeatures } from "./moments.ts";

/** Calls `fn` with the squared distances of rows [start, start + B) of x to all rows of y, [B, M]. */
export function forDistanceBlocks(x: Tensor, y: Tensor, fn: (squared: Tensor, start: number) => void): void {
  scope(() => {
    const wide = (features: Tensor) => features.to({ dtype: "float64", device: "cpu" });
    const all = wide(y);
    const norms = all.square().sum([1]);
    for (let start = 0; start < x.shape[0]!; start += ROWS_AT_ONCE)
      scope(() => {
        const rows = wide(x.slice(0, start, start + ROWS_AT_ONCE));
        const squared = rows.square().sum([1], true).add(norms);
        fn(squared.addmm_(rows, all.transpose(0, 1), { alpha: -2 }).clamp_(0), start);
      });
  });
}

/** The nearest other rows of each row. */
export interface Neighbours {
  /** How many per row. */
  readonly width: number;
  /** Their squared distances, ascending, [N][width]. */
  readonly squared: Float64Array;
  /** Their row numbers, [N][width]. */
  readonly index: Int32Array;
}

/** The `width` nearest other rows of each row. A row is its own nearest one, also where others equal it. */
export function nearestRows(x: Tensor, width: number): Neighbours {
  const images = x.shape[0]!;
  const squared = new Float64Array(images * width);
  const index = new Int32Array(images * width);
  forDistanceBlocks(x, x, (distances, start) => {
    // Below every distance, so that each row comes first in its own list and is left out.
    distances.diagonal(start).fill_(-1);
    const [values, rows] = distances.topk(width + 1, 1, false, true);
    squared.set(values.slice(1, 1).toArray() as Float64Array, start * width);
    index.set(rows.slice(1, 1).to("int32").toArray() as Int32Array, start * width);
  });
  return { width, squared, index };
}

/** Squared distance of each row to its k-th nearest other row, [N]. */
export function neighbourRadii(x: Tensor, k: number): Float64Array {
  const { squared } = nearestRows(x, k);
  return Float64Array.from({ length: x.shape[0]! }, (_, i) => squared[i * k + k - 1]!);
}

/** @throws ShapeError unless both sets have features and more than k images. */
export function requireNeighbours(real: Tensor, fake: Tensor, k: number): void {
  requireFeatures(real, fake);
  const smallest = Math.min(real.shape[0]!, fake.shape[0]!);
  if (!Number.isInteger(k) || k < 1 || smallest <= k)
    throw new ShapeError(
      `${k} neighbours among ${smallest} images; expected an integer from 1 to the number of images - 1.`,
    );
}
