// Comparisons gathered into the rows of the table: for each the worst, and how many there were.
import type { Comparison } from "./parity/checks.ts";

export interface Row {
  readonly row: string;
  readonly count: number;
  /** The comparison that takes up most of its tolerance. */
  readonly worst: Comparison;
  readonly failed: number;
}

/** False for an error outside its tolerance, or none at all. */
export const isWithin = ({ error, tolerance }: Comparison): boolean => error <= tolerance;

const share = ({ error, tolerance }: Comparison): number =>
  Number.isNaN(error) ? Infinity : tolerance === 0 ? error : error / tolerance;

/** In the order in which the rows were first seen. */
export function gather(comparisons: readonly Comparison[]): Row[] {
  const rows = new Map<string, Comparison[]>();
  for (const one of comparisons) rows.set(one.row, [...(rows.get(one.row) ?? []), one]);
  return Array.from(rows, ([row, list]) => ({
    row,
    count: list.length,
    worst: list.reduce((worst, one) => (share(one) > share(worst) ? one : worst)),
    failed: list.filter((one) => !isWithin(one)).length,
  }));
}

function numberText(value: number): string {
  if (value === 0) return "exact";
  return Math.abs(value) < 1e-3 ? value.toExponential(1) : value.toPrecision(2);
}

/** Head and rows, as text. */
export function cells(rows: readonly Row[]): string[][] {
  return [
    ["check", "values", "worst error", "tolerance", "", "where"],
    ...rows.map(({ row, count, worst, failed }) => [
      row,
      String(count),
      numberText(worst.error),
      numberText(worst.tolerance),
      failed === 0 ? "ok" : `FAILED (${failed})`,
      worst.at,
    ]),
  ];
}
