// Yes-or-no features of images, from metadata and captions: "this column has this value", "this caption", "this word".
import type { DifferenceColumns } from "./differences.ts";
import type { GroupDifference } from "./group-data.ts";
import { fixed } from "./format.ts";

/** A feature and the images that have it, in the order of the rows that were asked for. */
export interface Feature extends Pick<GroupDifference, "kind" | "column" | "value"> {
  readonly rows: readonly number[];
}

// More would cost power (each counts in the correction) and could not be shown anyway.
const MOST_VALUES = 50;
const MOST_WORDS = 300;

/** The features that at least two of the rows have and not all of them have. */
export function featuresOf(
  rows: readonly number[],
  { metadata = [], captions = [] }: DifferenceColumns,
  bins: number,
): Feature[] {
  const columns = new Set<string>();
  for (const row of rows) for (const column of Object.keys(metadata[row] ?? {})) columns.add(column);
  const ofRow = (row: number): readonly string[] => {
    const own = captions[row] ?? [];
    return typeof own === "string" ? [own] : own;
  };
  const words = wordsOf();
  const all = [
    ...[...columns].flatMap((column) => columnFeatures(rows, column, (row) => metadata[row]?.[column], bins)),
    ...collect(rows, { kind: "caption", column: "caption" }, ofRow, MOST_VALUES),
    ...collect(
      rows,
      { kind: "word", column: "caption" },
      (row) => ofRow(row).flatMap((text) => words(text)),
      MOST_WORDS,
    ),
  ];
  return all.filter((feature) => feature.rows.length > 1 && feature.rows.length < rows.length);
}

function columnFeatures(
  rows: readonly number[],
  column: string,
  valueOf: (row: number) => unknown,
  bins: number,
): Feature[] {
  const values = rows.map(valueOf);
  const numbers = values.filter(
    (value): value is number => typeof value === "number" && Number.isFinite(value),
  );
  const present = values.filter((value) => value !== undefined && value !== null && value !== "");
  const label =
    numbers.length === present.length && new Set(numbers).size > bins
      ? binLabels(numbers, bins)
      : (value: unknown) => text(value);
  return collect(
    rows,
    { kind: "column", column },
    (row) => {
      const value = valueOf(row);
      return value === undefined || value === null || value === "" ? "(no value)" : (label(value) ?? []);
    },
    MOST_VALUES,
  );
}

/** The most frequent values, each with its rows. */
function collect(
  rows: readonly number[],
  { kind, column }: Pick<Feature, "kind" | "column">,
  valuesOf: (row: number) => string | readonly string[],
  most: number,
): Feature[] {
  const byValue = new Map<string, number[]>();
  for (const row of rows) {
    const values = valuesOf(row);
    for (const value of typeof values === "string" ? [values] : values) {
      const own = byValue.get(value);
      if (!own) byValue.set(value, [row]);
      // A word that is there twice counts once.
      else if (own.at(-1) !== row) own.push(row);
    }
  }
  return [...byValue]
    .sort(([, a], [, b]) => b.length - a.length)
    .slice(0, most)
    .map(([value, own]) => ({ kind, column, value, rows: own }));
}

/** Names of bins with equally many values each, as far as equal values allow; a bin's name is its smallest and largest value. */
function binLabels(numbers: readonly number[], bins: number): (value: unknown) => string | undefined {
  const sorted = [...numbers].sort((a, b) => a - b);
  const cuts = Array.from(
    { length: bins - 1 },
    (_, b) => sorted[Math.floor(((b + 1) * sorted.length) / bins)]!,
  );
  const binOf = (value: number): number => cuts.filter((cut) => value >= cut).length;
  const names = Array.from({ length: bins }, (_, bin) => {
    const own = sorted.filter((value) => binOf(value) === bin);
    const [low, high] = [own[0], own.at(-1)];
    return low === undefined || high === undefined
      ? ""
      : low === high
        ? short(low)
        : `${short(low)} to ${short(high)}`;
  });
  return (value) => (typeof value === "number" && Number.isFinite(value) ? names[binOf(value)] : undefined);
}

const short = (value: number): string =>
  Number.isInteger(value) ? fixed(value, 0) : String(Number(value.toPrecision(4))).replace("-", "\u2212");

const text = (value: unknown): string | undefined =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : undefined;

// Letters of scripts that put no spaces between words: there a dictionary must find the words, which is slow.
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/u;
const WORDS = /[\p{L}\p{M}\p{N}]+(?:['\u2019-][\p{L}\p{M}\p{N}]+)*/gu;

/** Splits texts into lower-case words, each text once: captions repeat. */
function wordsOf(): (text: string) => readonly string[] {
  const segmenter = new Intl.Segmenter("en", { granularity: "word" });
  const known = new Map<string, readonly string[]>();
  const split = (text: string): readonly string[] =>
    UNSPACED.test(text)
      ? [...segmenter.segment(text)].flatMap(({ segment, isWordLike }) => (isWordLike ? [segment] : []))
      : (text.match(WORDS) ?? []);
  return (caption) => {
    const words = known.get(caption) ?? split(caption.toLowerCase());
    known.set(caption, words);
    return words;
  };
}
