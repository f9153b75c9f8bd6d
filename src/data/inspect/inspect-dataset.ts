/**
 * Looks at a whole data set: counts, captions, columns, sizes, and everything that is broken or there twice.
 * Shows hidden columns too: only for people to look at, never for stages that train.
 */
import { resolve } from "node:path";
import { DataError } from "../../torch/errors.ts";
import { metadataColumns } from "../dataset.ts";
import { captionsOf } from "../source/captions.ts";
import { findSplits, readSource } from "../source/read-source.ts";
import type { Source, SourceRow } from "../source/source-row.ts";
import type {
  Duplicates,
  Fault,
  Inspection,
  Range,
  Shared,
  SizeSummary,
  SplitInspection,
} from "./inspection.ts";
import { lookAtPictures, type LookOptions, type Seen } from "./look-at-pictures.ts";
import { rangeOf, summarizeCaptions, summarizeColumn } from "./summaries.ts";

/** A part of a data set whose metadata has been read. */
export interface OpenedSplit {
  readonly split: string | null;
  readonly source: Source;
}

export interface InspectOptions extends Omit<LookOptions, "onProgress"> {
  /** Column with the caption or a list of captions; without it "text", or else "caption". */
  readonly captionColumn?: string | undefined;
  readonly onProgress?: ((split: string | null, done: number, total: number) => void) | undefined;
}

/** Reads the metadata of all splits, or of one. Errors: DataError for whatever cannot be understood. */
export function openSplits(path: string, split?: string): OpenedSplit[] {
  if (split !== undefined) return [{ split, source: readSource(path, { split }) }];
  return findSplits(path).map(({ name = null, read }) => ({ split: name, source: read() }));
}

export interface Inspected {
  readonly inspection: Inspection;
  /** References to the pictures of all splits that can be read. */
  readonly readable: readonly string[];
}

/** Decodes every picture. Errors: the signal's reason. */
export async function inspectDataset(
  path: string,
  opened: readonly OpenedSplit[],
  { captionColumn, signal, onProgress }: InspectOptions = {},
): Promise<Inspected> {
  const splits: SplitInspection[] = [];
  const contents: { split: string | null; ids: Map<string, string> }[] = [];
  const readable: string[] = [];
  for (const { split, source } of opened) {
    const { kind, rows } = source;
    const looks = await lookAtPictures(
      rows.map(({ file }) => file),
      { signal, onProgress: (done, total) => onProgress?.(split, done, total) },
    );
    const { captions, bad } = readCaptions(rows, captionColumn);
    const seen: SeenRow[] = [];
    const broken: Fault[] = [];
    looks.forEach((look, i) => {
      const { id, file } = rows[i]!;
      if ("problem" in look) broken.push({ id, problem: look.problem });
      else {
        seen.push({ ...look, id, captions: captions[i]! });
        readable.push(file);
      }
    });
    splits.push({
      ...{ split, kind, images: rows.length, broken, badCaptions: bad },
      captions: summarizeCaptions(captions),
      columns: metadataColumns(rows, captionColumn).map((name) =>
        summarizeColumn(
          name,
          rows.map(({ fields }) => (Object.hasOwn(fields, name) ? fields[name] : undefined)),
        ),
      ),
      sizes: sizesOf(seen),
      duplicates: duplicatesOf(seen),
    });
    contents.push({ split, ids: new Map(seen.map(({ sha256, id }) => [sha256, id])) });
  }
  return { inspection: { path: resolve(path), splits, shared: sharedBetween(contents) }, readable };
}

interface SeenRow extends Seen {
  readonly id: string;
  readonly captions: readonly string[];
}

/** Captions of each row; none where they are no good. */
function readCaptions(
  rows: readonly SourceRow[],
  column: string | undefined,
): { captions: (readonly string[])[]; bad: Fault[] } {
  const bad: Fault[] = [];
  const captions = rows.map((row) => {
    try {
      return captionsOf(row, column);
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      bad.push({ id: row.id, problem: error.message });
      return [];
    }
  });
  return { captions, bad };
}

function sizesOf(seen: readonly Seen[]): SizeSummary | null {
  if (seen.length === 0) return null;
  const range = (measure: (picture: Seen) => number): Range => rangeOf(seen.map(measure))!;
  return {
    width: range(({ width }) => width),
    height: range(({ height }) => height),
    aspect: range(({ width, height }) => width / height),
    bytes: range(({ bytes }) => bytes),
    totalBytes: seen.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** Pictures with the same bytes, the largest sets first. */
function duplicatesOf(seen: readonly SeenRow[]): Duplicates[] {
  const byContent = new Map<string, SeenRow[]>();
  for (const row of seen) {
    const same = byContent.get(row.sha256);
    if (same) same.push(row);
    else byContent.set(row.sha256, [row]);
  }
  const key = ({ captions }: SeenRow): string => JSON.stringify(captions);
  return [...byContent.values()]
    .filter((same) => same.length > 1)
    .map((same) => ({
      ids: same.map(({ id }) => id),
      sameCaptions: same.every((row) => key(row) === key(same[0]!)),
    }))
    .sort((a, b) => b.ids.length - a.ids.length);
}

/** What is in two splits would be trained on and tested with. */
function sharedBetween(contents: readonly { split: string | null; ids: Map<string, string> }[]): Shared[] {
  return contents.flatMap((first, i) =>
    contents.slice(i + 1).flatMap((second) => {
      const both = [...first.ids].filter(([sha256]) => second.ids.has(sha256));
      if (both.length === 0) return [];
      return [{ splits: [first.split, second.split] as const, images: both.length, example: both[0]![1] }];
    }),
  );
}
