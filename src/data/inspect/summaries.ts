/** Summaries of captions, columns and sizes: pure functions of lists. */
import type { CaptionSummary, ColumnSummary, Counted, Range } from "./inspection.ts";

/** Captions that are listed. */
const COMMON = 10;
/** A column with more different values is no list of categories. */
const CATEGORIES = 20;

/** Least, median (of an even number the mean of the middle two) and most; null without numbers. */
export function rangeOf(numbers: readonly number[]): Range | null {
  if (numbers.length === 0) return null;
  const sorted = Float64Array.from(numbers).sort();
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { least: sorted[0]!, median, most: sorted.at(-1)! };
}

/** How often each value occurs, commonest first, equally common ones in the order of their texts. */
export function counted(values: Iterable<string>): Counted[] {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return Array.from(counts, ([value, count]) => ({ value, count })).sort(
    (a, b) => b.count - a.count || (a.value < b.value ? -1 : 1),
  );
}

/** The captions of each picture. */
export function summarizeCaptions(captions: readonly (readonly string[])[]): CaptionSummary {
  const all = counted(captions.flatMap((own) => [...new Set(own)]));
  const words = captions.flat().map((caption) => caption.split(/\s+/).filter((word) => word !== "").length);
  const having = captions.filter((own) => own.length > 0).length;
  return {
    with: having,
    without: captions.length - having,
    several: captions.filter((own) => own.length > 1).length,
    distinct: all.length,
    words: rangeOf(words),
    common: all.slice(0, COMMON),
  };
}

/** One column: the value of each picture. */
export function summarizeColumn(name: string, values: readonly unknown[]): ColumnSummary {
  const present = values.filter((value) => value !== undefined && value !== null && value !== "");
  const all = counted(present.map(asText));
  const numbers = present.map(asNumber).filter((number) => number !== undefined);
  return {
    name,
    missing: values.length - present.length,
    distinct: all.length,
    values: all.length <= CATEGORIES ? all : null,
    range: numbers.length === present.length ? rangeOf(numbers) : null,
  };
}

const asText = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

/** Numbers may be written as text, as in a table. */
function asNumber(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value !== "string" || value.trim() === "") return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}
