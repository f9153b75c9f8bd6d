// Counting labels: the small arrays that Bias, accuracy and purity are computed from.
import { ShapeError } from "../torch/index.ts";

/**
 * How often each of the labels 0..classes-1 occurs.
 *
 * @throws ShapeError when a label is not an integer in that range.
 */
export function countLabels(labels: ArrayLike<number>, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (let i = 0; i < labels.length; i++) counts[checkedLabel(labels, i, classes)]!++;
  return counts;
}

/** Index of the largest value in each row of a table [rows][width], the first of equal ones. */
export const largestInRows = (table: Float32Array, width: number): number[] =>
  Array.from({ length: table.length / width }, (_, i) => {
    const row = table.subarray(i * width, (i + 1) * width);
    return row.indexOf(Math.max(...row));
  });

/** `table[row][column]`: how often row label and column label occur together; both arrays have the same length. */
export function crossTable(
  rows: ArrayLike<number>,
  columns: ArrayLike<number>,
  size: { rows: number; columns: number },
): number[][] {
  requireSameLength(rows, columns);
  const table = Array.from({ length: size.rows }, () => new Array<number>(size.columns).fill(0));
  for (let i = 0; i < rows.length; i++) {
    const row = checkedLabel(rows, i, size.rows);
    table[row]![checkedLabel(columns, i, size.columns)]!++;
  }
  return table;
}

/** @throws ShapeError when the two arrays differ in length or are empty. */
export function requireSameLength(a: ArrayLike<unknown>, b: ArrayLike<unknown>): void {
  if (a.length !== b.length || a.length === 0)
    throw new ShapeError(
      `got arrays of length ${a.length} and ${b.length}; expected two of the same length, at least 1.`,
    );
}

function checkedLabel(labels: ArrayLike<number>, index: number, classes: number): number {
  const label = labels[index]!;
  if (!Number.isInteger(label) || label < 0 || label >= classes)
    throw new ShapeError(`label ${label} at index ${index}; expected an integer from 0 to ${classes - 1}.`);
  return label;
}
