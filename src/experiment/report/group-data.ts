// What the report shows of the inferred groups.
import type { ReportImage } from "./report-data.ts";

/** A caption, a word of the captions or a value of a metadata column that is more frequent in one group than elsewhere. */
export interface GroupDifference {
  /** Where the value comes from: a metadata column, whole captions, or words in captions. */
  readonly kind: "column" | "caption" | "word";
  /** Name of the column; "caption" for captions and words. */
  readonly column: string;
  /** The value as text; numbers are binned, such as "12 to 40". */
  readonly value: string;
  /** Share of the group's images that have the value. */
  readonly share: number;
  /** Share of all images (of the groups compared) that have it. */
  readonly overall: number;
  /** `share / overall`: 1 means as frequent as anywhere. */
  readonly lift: number;
  /** Chance of at least this share in as many images drawn at random, corrected for the number of values that were tried. */
  readonly pValue?: number;
}

/** One group. */
export interface ReportGroup {
  /** Such as "Group 1". */
  readonly label: string;
  readonly size: number;
  /** The most typical images, best first. */
  readonly images: readonly ReportImage[];
  /** Share of each attribute value in this group: evaluation only. */
  readonly shares?: readonly number[];
  /** What sets the group apart, the most telling first: evaluation only. */
  readonly differences?: readonly GroupDifference[];
}

/** The groups that were inferred among the images of one caption. */
export interface ReportCaptionGroups {
  readonly caption: string;
  readonly groups: readonly ReportGroup[];
}

/** Inferred groups. */
export interface ReportGroups {
  /** How they were found, in a sentence or two. */
  method: string;
  /** The groups of all captions together, for data sets with many captions; shown before the captions. */
  overall?: readonly ReportGroup[];
  captions: readonly ReportCaptionGroups[];
  /** How they line up with the hidden attribute: evaluation only. */
  agreement?: {
    readonly auc?: number;
    readonly precision?: number;
    readonly recall?: number;
    readonly purity?: number;
  };
  /** The same for each of several hidden attributes. */
  agreementByAttribute?: readonly {
    readonly attribute: string;
    readonly auc: number;
    readonly precision: number;
    readonly recall: number;
  }[];
  /** Images of each group that have each combination of rare and usual values, with several attributes. */
  combinations?: {
    readonly names: readonly string[];
    readonly counts: readonly (readonly number[])[];
  };
}
