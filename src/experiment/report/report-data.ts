// Everything that the report shows. The report computes no metric: it shows numbers and images that it is given. Every
// part that may be missing is optional or may be empty.
import type { ReportGroups } from "./group-data.ts";
import type { Measured, ReportMetric } from "./metric-data.ts";

/** One picture: its bytes and what it shows, in words. */
export interface ReportImage {
  /** A PNG, JPEG, WebP or other image file that sharp reads. */
  readonly bytes: Uint8Array;
  /** For readers who do not see the image. */
  readonly alt: string;
  /** Short text under the image, such as the predicted attribute value. */
  readonly tag?: string;
}

/** Pictures under one label. */
export interface ImageGrid {
  readonly label: string;
  /** Key of the model that made them; without it the model is found by `label`. */
  readonly model?: string;
  readonly images: readonly ReportImage[];
  readonly note?: string;
}

/** The hidden attribute, known for evaluation only. */
export interface ReportAttribute {
  /** Noun, such as "background". */
  readonly name: string;
  /** Its values, such as ["water", "land"]; every array of shares and counts has this order. */
  readonly values: readonly string[];
}

/** One prompt of the evaluation. */
export interface ReportPrompt {
  readonly prompt: string;
  /** Share of each attribute value among the training images with this caption (all together 1). */
  readonly trainingShares?: readonly number[];
}

/** One model's results; every per-prompt array has the order of `ReportData.prompts`. */
export interface ReportModel {
  /** "base" and "guided" have fixed colours and head the report; others are further rows, such as "oracle". */
  key: string;
  /** Shown name, such as "Base model". */
  label: string;
  /** One sentence: what this model is. */
  description?: string;
  /** Normalised Bias, 0..1. */
  bias?: Measured;
  biasPerPrompt?: readonly (Measured | undefined)[];
  /** The reference's Bias, which cannot exceed 2 / number of values. */
  rawBias?: Measured;
  rawBiasPerPrompt?: readonly (Measured | undefined)[];
  /** Normalised Bias corrected for the classifier's mistakes by its confusion matrix. */
  correctedBias?: Measured;
  correctedBiasPerPrompt?: readonly (Measured | undefined)[];
  /** `sharesPerPrompt[prompt][value]`: share of generated images per attribute value. */
  sharesPerPrompt?: readonly (readonly number[])[];
  /** Bias in further hidden attributes, if there are any. */
  furtherBias?: readonly { readonly attribute: string; readonly bias: Measured }[];
  promptAccuracy?: Measured;
  fid?: Measured;
}

/** Samples of several models for one prompt, from the same seeds in the same order. */
export interface ReportSamples {
  readonly prompt: string;
  readonly grids: readonly ImageGrid[];
}

/** A loss curve. */
export interface ReportCurve {
  /** Such as "Base model, fine-tuning". */
  readonly title: string;
  /** Key of the model that was trained, for the colour. */
  readonly model: string;
  readonly steps: readonly number[];
  readonly values: readonly number[];
  /** Loss on held-out images, at the steps where it was measured. */
  readonly validation?: { readonly steps: readonly number[]; readonly values: readonly number[] };
}

/** Bimodality coefficient of the per-image losses by timestep; above 5/9 the losses fall into two populations. */
export interface ReportProfile {
  readonly timesteps: readonly number[];
  readonly series: readonly { readonly label: string; readonly coefficients: readonly number[] }[];
  /** Mean loss of each group at the same timesteps, by caption (or once for all). */
  readonly meanLosses?: readonly {
    /** What is averaged; default: the loss. */
    readonly what?: string;
    readonly caption?: string;
    readonly groups: readonly { readonly label: string; readonly losses: readonly number[] }[];
  }[];
}

/** A classifier that the evaluation relies on. */
export interface ReportClassifier {
  /** What it recognises, such as "background". */
  name: string;
  /** On held-out real images. */
  accuracy: Measured;
  heldOutImages: number;
  /** Such as "ResNet-18, 224 pixels". */
  architecture?: string;
  /** `counts[true][predicted]` on the held-out images. */
  confusion?: { readonly values: readonly string[]; readonly counts: readonly (readonly number[])[] };
  /** Averages over the values (macro), as far as they were computed. */
  metrics?: {
    readonly precision?: number;
    readonly recall?: number;
    readonly f1?: number;
    readonly auc?: number;
  };
}

/** Wall-clock time of a stage. */
export interface ReportStageTime {
  readonly stage: string;
  readonly seconds: number;
  /** True when a finished earlier result was reused; `seconds` is then what it took originally. */
  readonly reused?: boolean;
  /** Peak memory of the process during the stage. */
  readonly peakBytes?: number;
  /** Peak memory on the accelerator during the stage. */
  readonly devicePeakBytes?: number;
}

/** Input of `renderReport`, `renderMarkdown` and `reportJson`. */
export interface ReportData {
  /** Such as "Birds". */
  title: string;
  /** ISO 8601 date and time. */
  createdAt: string;
  /** Undefined when only finished samples are compared. */
  dataset?: {
    /** Such as "the procedural birds". */
    name: string;
    trainingImages: number;
    /** A paragraph about the images. */
    description?: string;
  };
  /** Undefined: the bias cannot be measured, only groups and samples are shown. */
  attribute?: ReportAttribute;
  prompts: readonly ReportPrompt[];
  /**
   * Whether group inference found a second population. "no-second-population" is an honest result, not an error.
   * Undefined: no group inference belongs to this report (a comparison of finished samples).
   */
  outcome?: "groups-found" | "no-second-population";
  /** True when the groups are the true labels (a comparison run); the text then makes no claim of "without labels". */
  groupsFromLabels?: boolean;
  /** Any number; the base first, then "guided" where a module was trained, then further ones. */
  models: readonly ReportModel[];
  /** Key of the model that the others are compared with; default "base" if there is one, else the first. */
  baseModel?: string;
  /** The metric table. Undefined: it is made of the models' own bias, prompt accuracy and FID. */
  metrics?: readonly ReportMetric[];
  /** Mean Bias (normalised) that this many images show by chance alone when the true shares are equal; drawn as a line. */
  biasFloor?: number;
  /** Generated images per prompt and model. */
  imagesPerPrompt?: number;
  /** Such as "features of the evaluation classifier (64 numbers per image)". */
  fidFeatureSpace?: string;
  /** Such as "2,000 balanced validation images". */
  fidReference?: string;
  samples: readonly ReportSamples[];
  curves: readonly ReportCurve[];
  profile?: ReportProfile;
  groups?: ReportGroups;
  classifiers: readonly ReportClassifier[];
  /** Such as the images most and least clearly showing the rare value, by the classifier's confidence. */
  extremes?: readonly {
    readonly title: string;
    readonly note: string;
    readonly grids: readonly ImageGrid[];
  }[];
  stages: readonly ReportStageTime[];
  totalSeconds: number;
  /** The whole configuration as YAML; may be empty. */
  settingsYaml: string;
  versions: Record<string, string>;
  /** Commands, one per line, that repeat this run. */
  reproduce: readonly string[];
  /** One sentence each, shown at the top. */
  warnings: readonly string[];
}
