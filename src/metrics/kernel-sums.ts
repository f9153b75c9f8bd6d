// Sums over the cubic kernel's matrix without ever holding it: a block of rows at a time.
import { scope, type Tensor, zeros } from "../torch/index.ts";
import { ROWS_AT_ONCE } from "./moments.ts";

const wide = (x: Tensor): Tensor => x.to({ dtype: "float64", device: "cpu" });

/** Calls `fn` with the kernel (x.y / D + 1)^3 of rows [start, start + B) of x with all rows of y, [B, M]. */
function forBlocks(x: Tensor, y: Tensor, fn: (kernel: Tensor, start: number) => void): void {
  scope(() => {
    const all = wide(y).transpose(0, 1);
    for (let start = 0; start < x.shape[0]!; start += ROWS_AT_ONCE)
      scope(() => {
        const rows = wide(x.slice(0, start, start + ROWS_AT_ONCE));
        fn(rows.matmul(all).div_(x.shape[1]!).add_(1).pow(3), start);
      });
  });
}

/** Sum over the rows of y of the kernel with each row of x, [N]. `skipSame`: x and y are one set, i = j is left out. */
export function kernelRowSums(x: Tensor, y: Tensor, { skipSame = false } = {}): Float64Array {
  const sums = new Float64Array(x.shape[0]!);
  forBlocks(x, y, (kernel, start) => {
    if (skipSame) kernel.diagonal(start).zero_();
    sums.set(kernel.sum([1]).toArray() as Float64Array, start);
  });
  return sums;
}

/** Sum of w_i w_j k(x_i, x_j) over i != j, for each row of weights [B, N] float64. */
export function pairSums(x: Tensor, weights: Tensor): Float64Array {
  return scope(() => {
    const sums = zeros([weights.shape[0]!], { dtype: "float64" });
    forBlocks(x, x, (kernel, start) => {
      kernel.diagonal(start).zero_();
      const rows = weights.slice(1, start, start + kernel.shape[0]!);
      sums.add_(weights.matmul(kernel.transpose(0, 1)).mul_(rows).sum([1]));
    });
    return sums.toArray() as Float64Array;
  });
}

/** Sum of v_i w_j k(x_i, y_j), for each row of the two weights, [B, N] and [B, M] float64. */
export function crossSums(
  [x, v]: readonly [Tensor, Tensor],
  [y, w]: readonly [Tensor, Tensor],
): Float64Array {
  return scope(() => {
    const sums = zeros([v.shape[0]!], { dtype: "float64" });
    forBlocks(x, y, (kernel, start) => {
      const rows = v.slice(1, start, start + kernel.shape[0]!);
      sums.add_(w.matmul(kernel.transpose(0, 1)).mul_(rows).sum([1]));
    });
    return sums.toArray() as Float64Array;
  });
}
