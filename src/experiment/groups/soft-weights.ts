// Group weights of images: rows [N][count] that are shares.
import { DataError } from "../../torch/index.ts";
import { listed } from "./listed.ts";

/** Rows whose sum is this close to 1 are left as they are: rounding, which another division would only change. */
const ROUNDING = 1e-6;

/**
 * The rows, each divided by its sum. Errors: DataError naming the images (`names`, one per row) whose weights are negative,
 * not finite, or all zero.
 */
export function toShares(
  weights: Float32Array,
  { count, names, where }: { count: number; names: readonly string[]; where: string },
): Float32Array {
  const shares = new Float32Array(weights.length);
  const broken = names.filter((_, row) => {
    const own = weights.subarray(row * count, (row + 1) * count);
    const sum = own.reduce((total, weight) => total + weight, 0);
    if (!own.every((weight) => weight >= 0) || !Number.isFinite(sum) || sum === 0) return true;
    const isRounded = Math.abs(sum - 1) <= ROUNDING;
    for (let g = 0; g < count; g++) shares[row * count + g] = isRounded ? own[g]! : own[g]! / sum;
    return false;
  });
  if (broken.length > 0)
    throw new DataError(
      `${where} has no group weights for ${listed(broken)}: expected ${count} finite numbers of at least 0, not all 0, in each row. Correct the rows.`,
    );
  return shares;
}

/** The chosen rows, in their order. */
export function selectRows(weights: Float32Array, count: number, rows: readonly number[]): Float32Array {
  const chosen = new Float32Array(rows.length * count);
  rows.forEach((row, i) => chosen.set(weights.subarray(row * count, (row + 1) * count), i * count));
  return chosen;
}

/** Sum of the weights of each group, in images. */
export const groupSizes = (weights: Float32Array, count: number): number[] => {
  const sizes = new Array<number>(count).fill(0);
  weights.forEach((weight, i) => (sizes[i % count]! += weight));
  return sizes;
};
