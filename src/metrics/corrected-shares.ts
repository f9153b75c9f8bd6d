// Shares corrected for the classifier's mistakes. Predicted shares are q_j = sum_i p_i C_ij with the true shares p and the
// classifier's rates C_ij = P(predicted j | true i) from held-out images. The p of greatest likelihood within the simplex
// is p = C^-T q where that has no negative share (Rogan & Gladen 1978 for two values), else EM finds it.
import { linalgSolve, scope, ShapeError, tensor, TorchError } from "../torch/index.ts";

/**
 * Shares of the values among images of which `counts[value]` were predicted to show each.
 *
 * @param confusion `confusion[true][predicted]` on held-out images: counts or rates
 * @throws ShapeError unless it has a row and a column for each value and no empty row.
 */
export function correctedShares(
  counts: ArrayLike<number>,
  confusion: readonly ArrayLike<number>[],
): number[] {
  const rates = ratesOf(confusion, counts.length);
  const total = Array.from(counts).reduce((sum, count) => sum + count, 0);
  if (!(total > 0)) throw new ShapeError(`corrected shares of ${total} images; expected at least one.`);
  return solve(
    Array.from(counts, (count) => count / total),
    rates,
    inverse(rates),
  );
}

/** `rates[true][predicted]`, rows sum to 1. @throws ShapeError for a matrix that is none of them. */
export function ratesOf(confusion: readonly ArrayLike<number>[], classes: number): number[][] {
  const rows = confusion.map((row) => Array.from(row));
  const totals = rows.map((row) => row.reduce((sum, count) => sum + count, 0));
  const square = rows.length === classes && classes >= 2 && rows.every((row) => row.length === classes);
  if (!square || totals.some((total) => !(total > 0)) || rows.flat().some((count) => !(count >= 0)))
    throw new ShapeError(
      `confusion matrix ${JSON.stringify(rows)} for ${classes} values; expected ${classes} rows (true values) of ` +
        `${classes} counts >= 0 (predicted values), none of them without images.`,
    );
  return rows.map((row, i) => row.map((count) => count / totals[i]!));
}

/** The inverse of the transposed rates; undefined when they are singular. */
export function inverse(rates: readonly (readonly number[])[]): number[][] | undefined {
  if (rates.length === 2) {
    const [[a, b], [c, d]] = rates as [[number, number], [number, number]];
    const determinant = a * d - b * c;
    if (Math.abs(determinant) < 1e-9) return undefined;
    return [
      [d / determinant, -c / determinant],
      [-b / determinant, a / determinant],
    ];
  }
  const n = rates.length;
  try {
    return scope(() => {
      const transposed = tensor(Float64Array.from(rates.flat()), { shape: [n, n] }).transpose(0, 1);
      const unit = Float64Array.from({ length: n * n }, (_, i) => +(i % (n + 1) === 0));
      const flat = linalgSolve(transposed, tensor(unit, { shape: [n, n] })).toNumbers();
      return flat.every(Number.isFinite)
        ? Array.from({ length: n }, (_, i) => flat.slice(i * n, (i + 1) * n))
        : undefined;
    });
  } catch (error) {
    if (!(error instanceof TorchError)) throw error;
    // Singular: several shares fit equally well, and EM ends at some of them.
    return undefined;
  }
}

/** True shares from observed ones and the two results above. */
export function solve(
  observed: readonly number[],
  rates: readonly (readonly number[])[],
  inverted: readonly (readonly number[])[] | undefined,
): number[] {
  const exact = inverted?.map((row) => row.reduce((sum, x, j) => sum + x * observed[j]!, 0));
  if (exact?.every((share) => share >= 0)) return exact;
  if (exact && rates.length === 2) return normalised(exact.map((share) => Math.min(1, Math.max(0, share))));
  return expectationMaximisation(observed, rates, exact);
}

/** Steps after which EM has found the shares that are not 0 to about 1e-6. */
const STEPS = 2000;

function expectationMaximisation(
  observed: readonly number[],
  rates: readonly (readonly number[])[],
  exact: readonly number[] | undefined,
): number[] {
  // No share may start at 0: EM would leave it there.
  let shares = normalised((exact ?? observed).map((share) => Math.max(share, 1e-2)));
  for (let step = 0; step < STEPS; step++) {
    const predicted = observed.map((_, j) => shares.reduce((sum, p, i) => sum + p * rates[i]![j]!, 0));
    const next = shares.map(
      (p, i) =>
        p * observed.reduce((sum, q, j) => (q > 0 ? sum + (rates[i]![j]! * q) / predicted[j]! : sum), 0),
    );
    const change = next.reduce((sum, p, i) => sum + Math.abs(p - shares[i]!), 0);
    shares = next;
    if (change < 1e-9) break;
  }
  return normalised(shares);
}

function normalised(shares: readonly number[]): number[] {
  const total = shares.reduce((sum, share) => sum + share, 0);
  return shares.map((share) => share / total);
}
