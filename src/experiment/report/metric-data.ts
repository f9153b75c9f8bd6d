// What the report shows of one metric: a row of the metric table, with the models in the order of `ReportData.models`.
import type { Interval } from "../../metrics/index.ts";

/** A measured number, with its 95 % interval where one exists. */
export interface Measured {
  readonly value: number;
  readonly interval?: Interval;
}

/** Difference of a model to the model that all are compared with (model minus base), from pairs of images of one seed. */
export interface ReportComparison {
  readonly difference: number;
  /** 95 % interval of `difference`. */
  readonly interval?: Interval;
  /** Two-sided: chance of a difference this large if there were none. */
  readonly pValue?: number;
}

/** Why a metric is missing, and how to get it. */
export interface SkippedMetric {
  /** One sentence, such as "The weights of the FID Inception network are not on this machine." */
  readonly reason: string;
  /** The exact command, such as "invdiff download network inception". */
  readonly command?: string;
}

/** One metric for every model. */
export interface ReportMetric {
  /**
   * Name for programs. Known ones get a glossary entry: bias, biasRaw, biasCorrected, promptAccuracy, clipT, fid, kid,
   * precision, recall, density, coverage, lpipsDiversity; a part after ":" tells variants apart ("fid:reference", "bias:pose").
   */
  readonly key: string;
  /** Name for people, such as "FID (clean)". */
  readonly label: string;
  /** One plain sentence: what it says. */
  readonly what: string;
  /** Which direction is better; undefined: neither, or it depends. */
  readonly better?: "lower" | "higher";
  /** How the number is written: a share as per cent, or `digits` after the point (default: by size). */
  readonly unit?: "share";
  readonly digits?: number;
  /** Network and preprocessing that the features come from, for people. */
  readonly featureSpace?: string;
  /** What the images are compared with, such as "2,000 balanced validation images". */
  readonly reference?: string;
  /** In the order of the models; undefined where not measured. Empty when skipped. */
  readonly values: readonly (Measured | undefined)[];
  /** By prompt, then in the order of the models; shown folded. */
  readonly perPrompt?: readonly (readonly (Measured | undefined)[])[];
  /** In the order of the models; undefined for the base itself and where there is no comparison. */
  readonly comparisons?: readonly (ReportComparison | undefined)[];
  readonly skipped?: SkippedMetric;
}
