// What a classifier learns from: pictures with the value of one column, in parts for training, choosing and judging.
import { Random } from "../../data/index.ts";
import { DataError } from "../../torch/errors.ts";

export const PARTS = ["train", "validation", "test"] as const;
export type PartName = (typeof PARTS)[number];

/** Pictures with the text of their label, as they are read. */
export interface LabelledRow {
  readonly id: string;
  /** Reference for `readImage`. */
  readonly file: string;
  readonly value: string;
}

export interface LabelledPart {
  readonly ids: readonly string[];
  readonly files: readonly string[];
  /** Index into `values`, [images]. */
  readonly labels: Int32Array;
}

export interface LabelledSet {
  readonly column: string;
  /** What each class is called, in their order. */
  readonly values: readonly string[];
  readonly train: LabelledPart;
  readonly validation: LabelledPart;
  readonly test: LabelledPart | undefined;
  /** True when the validation part was taken out of the training part. */
  readonly validationDrawn: boolean;
}

/** Rows of each part; the training part is always there. */
export type LabelledRows = { readonly train: readonly LabelledRow[] } & Readonly<
  Partial<Record<PartName, readonly LabelledRow[]>>
>;

export interface LabelOptions {
  /** The data set, for messages. */
  readonly path: string;
  readonly column: string;
  readonly seed: number;
  /** Share of the training images of each value that become the validation part when there is none. */
  readonly validationShare: number;
}

/** Above this share of distinct values a column names pictures rather than sorts them. */
const MOST_VALUES = 0.5;

/**
 * Numbers the values and gives every image its label; draws a validation part when there is none.
 * Errors: DataError for a column with one value, with nearly as many values as images, or with a value that training never sees.
 */
export function labelledSet(rows: LabelledRows, options: LabelOptions): LabelledSet {
  const { path, column, seed, validationShare } = options;
  const all = PARTS.flatMap((name) => rows[name] ?? []);
  const values = inOrder(new Set(all.map(({ value }) => value)));
  if (values.length < 2)
    throw new DataError(
      `"${column}" is ${values.join("")} for all ${all.length} images of ${path}; a classifier needs at least two values. Give another column (--label).`,
    );
  if (values.length > Math.max(2, all.length * MOST_VALUES))
    throw new DataError(
      `"${column}" has ${values.length} values for ${all.length} images of ${path} (${values.slice(0, 3).join(", ")}, ...); ` +
        `that names images rather than sorts them. Give another column (--label).`,
    );
  const drawn = rows.validation === undefined;
  const [train, validation] = rows.validation
    ? [rows.train, rows.validation]
    : drawValidation(rows.train, { seed, share: validationShare });
  const seen = new Set(train.map(({ value }) => value));
  const unseen = values.filter((value) => !seen.has(value));
  if (unseen.length > 0)
    throw new DataError(
      `No training image of ${path} has "${column}" ${unseen.map((value) => JSON.stringify(value)).join(" or ")}, ` +
        `only those held out have. Put such images into train/, or take them out of the others.`,
    );
  const numberOf = new Map(values.map((value, i) => [value, i]));
  const part = (of: readonly LabelledRow[]): LabelledPart => ({
    ids: of.map(({ id }) => id),
    files: of.map(({ file }) => file),
    labels: Int32Array.from(of, ({ value }) => numberOf.get(value)!),
  });
  return {
    ...{ column, values, train: part(train), validation: part(validation), validationDrawn: drawn },
    test: rows.test && part(rows.test),
  };
}

/** Numbers by size, texts by their characters: the same on every machine. */
function inOrder(values: ReadonlySet<string>): string[] {
  const list = [...values];
  const numbers = list.every((value) => value.trim() !== "" && Number.isFinite(Number(value)));
  return numbers ? list.sort((a, b) => Number(a) - Number(b) || (a < b ? -1 : 1)) : list.sort();
}

/** A share of each value's rows, but never all, and at least one where there are two; all rows stay in their order. */
function drawValidation(
  rows: readonly LabelledRow[],
  { seed, share }: { seed: number; share: number },
): [LabelledRow[], LabelledRow[]] {
  const held = new Set<number>();
  for (const value of inOrder(new Set(rows.map((row) => row.value)))) {
    const places = rows.flatMap((row, i) => (row.value === value ? i : []));
    const wanted = Math.min(Math.max(Math.round(places.length * share), 1), places.length - 1);
    new Random("classifier-validation", seed, value).shuffle(places);
    for (const place of places.slice(0, wanted)) held.add(place);
  }
  return [rows.filter((_, i) => !held.has(i)), rows.filter((_, i) => held.has(i))];
}

/** Images of each value, by name. */
export function countsOf({ labels }: LabelledPart, values: readonly string[]): Record<string, number> {
  const counts = values.map(() => 0);
  for (const label of labels) counts[label]!++;
  return Object.fromEntries(values.map((value, i) => [value, counts[i]!]));
}

/** Loss weights that let every value count alike: n / (values * n_value), [values]. */
export function balancedWeights({ labels }: LabelledPart, values: number): number[] {
  const counts = new Array<number>(values).fill(0);
  for (const label of labels) counts[label]!++;
  return counts.map((count) => labels.length / (values * count));
}
