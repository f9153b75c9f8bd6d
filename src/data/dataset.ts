/**
 * A data set with everything in it, hidden columns included: for evaluation and for looking at data.
 * Stages that train may not import this file; a test watches over it.
 */
import { resolve } from "node:path";
import { DataError } from "../torch/index.ts";
import { readImage } from "./image-ref.ts";
import { captionColumnOf, captionsOf } from "./source/captions.ts";
import { readSource } from "./source/read-source.ts";
import type { SourceKind, SourceOptions, SourceRow } from "./source/source-row.ts";

export interface DatasetItem {
  /** Unique in the data set, and the same whenever it is opened. */
  readonly id: string;
  /** None, one or several. */
  readonly captions: readonly string[];
  /** Everything else that is noted about the picture, by column. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Where the picture is, for `readImage`. */
  readonly file: string;
  /** The encoded picture. Errors: DataError when it cannot be read. */
  bytes(): Promise<Uint8Array>;
}

export interface ImageDataset {
  readonly kind: SourceKind;
  /** Absolute. */
  readonly path: string;
  /** The split that was asked for. */
  readonly split: string | undefined;
  readonly length: number;
  /** Columns of metadata: each that some item has, in the order in which they first appear. */
  readonly columns: readonly string[];
  /** Errors: DataError for an index outside 0..length-1. */
  item(index: number): DatasetItem;
}

export interface DatasetOptions extends SourceOptions {
  /** Column with the caption or a list of captions; without it "text", or else "caption". */
  readonly captionColumn?: string | undefined;
}

/**
 * Opens a data set of any kind: folders with metadata.jsonl, metadata.csv, caption files or classes, and parquet files.
 * Errors: DataError that names file and line of what is missing, broken, doubled or outside the folder.
 */
export async function openDataset(path: string, options: DatasetOptions = {}): Promise<ImageDataset> {
  const { split, captionColumn } = options;
  const { kind, rows, exists } = readSource(path, options);
  const captions = rows.map((row) => {
    if (!exists(row))
      throw new DataError(
        `${row.where}: there is no image file ${row.file}. Add the file or remove the line.`,
      );
    return captionsOf(row, captionColumn);
  });
  return {
    ...{
      kind,
      split,
      path: resolve(path),
      length: rows.length,
      columns: metadataColumns(rows, captionColumn),
    },
    item(index) {
      const row = rows[index];
      if (!row)
        throw new DataError(
          `${path} has ${rows.length} pictures; number ${index} was asked for. Expected 0 to ${rows.length - 1}.`,
        );
      const { id, file, fields } = row;
      const own = Object.entries(fields).filter(([name]) => !isCaption(name, fields, captionColumn));
      return {
        ...{ id, file, captions: captions[index]!, metadata: Object.fromEntries(own) },
        bytes: () => readImage(file),
      };
    },
  };
}

const isCaption = (name: string, fields: SourceRow["fields"], column: string | undefined): boolean =>
  name === "file_name" || name === captionColumnOf(fields, column);

/** Names of all columns but those with file names and captions. */
export function metadataColumns(rows: readonly SourceRow[], captionColumn: string | undefined): string[] {
  const names = new Set<string>();
  for (const { fields } of rows)
    for (const name of Object.keys(fields)) if (!isCaption(name, fields, captionColumn)) names.add(name);
  return [...names];
}
