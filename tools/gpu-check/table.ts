// Plain text tables: columns as wide as their widest cell, the first and the last to the left, numbers to the right.

/** One line per row; the first row is the head. */
export function tableLines(rows: readonly (readonly string[])[], left: readonly number[] = [0]): string[] {
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, i) => Math.max(widest[i] ?? 0, cell.length)),
    [],
  );
  const place = (cell: string, i: number) =>
    left.includes(i) ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0);
  return rows.map((row) => row.map(place).join("  ").trimEnd());
}
