/** What every kind of data set is read into: one row for each picture. */

/** How pictures and what is known about them are stored. */
export type SourceKind =
  | "metadata.jsonl"
  | "metadata.csv"
  | "metadata.parquet"
  | "parquet"
  | "class folders"
  | "caption files"
  | "pictures without captions";

/** One picture with everything that is noted about it. */
export interface SourceRow {
  /** Its name: unique in the data set, and the same whenever the set is opened. */
  readonly id: string;
  /** Where the picture is: a reference for `readImage`. */
  readonly file: string;
  /** Where the row was read, for error messages: "FILE, line N". */
  readonly where: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Rows of a data set or of one split of it. */
export interface Source {
  readonly kind: SourceKind;
  /** The folder that ids are relative to; of a single parquet file, its folder. */
  readonly folder: string;
  /** In a fixed order; never empty. */
  readonly rows: readonly SourceRow[];
  /** Whether a row's picture is there; quick to ask of all rows. */
  readonly exists: (row: SourceRow) => boolean;
}

export interface SourceOptions {
  /** Which part to read, such as "train" or "validation"; without it the whole, or its train part where it has parts. */
  readonly split?: string | undefined;
}

/** What a user is told who has to make a data set. */
export const expectedSource =
  'pictures with a metadata.jsonl (one JSON object per line, such as {"file_name": "0001.png", "text": "a photo of a waterbird"}), ' +
  "a metadata.csv, a caption file beside each picture (0001.png and 0001.txt), one folder for each class, " +
  "or parquet files as the Hugging Face datasets library writes them";
