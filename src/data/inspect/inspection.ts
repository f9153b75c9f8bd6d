/** What a look at a data set finds; plain data, as JSON has it. */
import type { SourceKind } from "../source/source-row.ts";

/** Least, middle and most of some numbers. */
export interface Range {
  readonly least: number;
  readonly median: number;
  readonly most: number;
}

export interface CaptionSummary {
  /** Pictures with one caption or more. */
  readonly with: number;
  readonly without: number;
  /** Pictures with more than one. */
  readonly several: number;
  readonly distinct: number;
  /** Words in a caption; null without captions. */
  readonly words: Range | null;
  /** The commonest captions, with the number of pictures that have them. */
  readonly common: readonly Counted[];
}

export interface Counted {
  readonly value: string;
  readonly count: number;
}

export interface ColumnSummary {
  readonly name: string;
  /** Pictures for which nothing is noted. */
  readonly missing: number;
  readonly distinct: number;
  /** Values and how often they occur, commonest first, where there are few. */
  readonly values: readonly Counted[] | null;
  /** Where all are numbers. */
  readonly range: Range | null;
}

/** Something that is wrong with one picture. */
export interface Fault {
  readonly id: string;
  readonly problem: string;
}

export interface SizeSummary {
  /** Pixels. */
  readonly width: Range;
  readonly height: Range;
  /** Width divided by height. */
  readonly aspect: Range;
  readonly bytes: Range;
  readonly totalBytes: number;
}

/** Pictures with the same bytes. */
export interface Duplicates {
  readonly ids: readonly string[];
  /** Whether they have the same captions. */
  readonly sameCaptions: boolean;
}

export interface SplitInspection {
  /** Null for what belongs to no split. */
  readonly split: string | null;
  readonly kind: SourceKind;
  readonly images: number;
  readonly captions: CaptionSummary;
  readonly columns: readonly ColumnSummary[];
  /** Of the pictures that can be read; null when there are none. */
  readonly sizes: SizeSummary | null;
  /** Pictures that are missing or cannot be decoded. */
  readonly broken: readonly Fault[];
  /** Captions that are empty or no text. */
  readonly badCaptions: readonly Fault[];
  readonly duplicates: readonly Duplicates[];
}

export interface Inspection {
  /** Absolute. */
  readonly path: string;
  readonly splits: readonly SplitInspection[];
  /** Pictures of one split that another has too, by their bytes. */
  readonly shared: readonly Shared[];
}

export interface Shared {
  readonly splits: readonly [string | null, string | null];
  readonly images: number;
  /** The first of them, in the first split. */
  readonly example: string;
}
