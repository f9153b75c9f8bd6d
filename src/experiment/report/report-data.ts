// Everything that report.html shows. The report computes no metric: it shows numbers and images that it is given.
import type { Interval } from "../../metrics/index.ts";

/** A measured number, with its 95 % interval where one exists. */
export interface Measured {
  value: number;
  interval?: Interval;
}

/** One picture: PNG bytes and what it shows, in words. */
export interface ReportImage {
  png: Uint8Array;
  /** For readers who do not see the image. */
  alt: string;
  /** Short text under the image, such as the predicted attribute value. */
  tag?: string;
}

/** Pictures under one label. */
export interface ImageGrid {
  label: string;
  images: ReportImage[];
  note?: string;
}

/** The hidden attribute, known for evaluation only. */
export interface ReportAttribute {
  /** Noun, such as "background". */
  name: string;
  /** Its values, such as ["water", "land"]; every array of shares and counts has this order. */
  values: string[];
}

/** One prompt of the evaluation. */
export interface ReportPrompt {
  prompt: string;
  /** Share of each attribute value among the training images with this caption (all together 1). */
  trainingShares?: number[];
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
  biasPerPrompt?: Measured[];
  /** `sharesPerPrompt[prompt][value]`: share of generated images per attribute value. */
  sharesPerPrompt?: number[][];
  /** Bias in further hidden attributes, if there are any. */
  furtherBias?: { attribute: string; bias: Measured }[];
  promptAccuracy?: Measured;
  fid?: Measured;
}

/** Samples of several models for one prompt, from the same seeds in the same order. */
export interface ReportSamples {
  prompt: string;
  grids: ImageGrid[];
}

/** A loss curve. */
export interface ReportCurve {
  /** Such as "Base model, fine-tuning". */
  title: string;
  /** Colour: the model that was trained. */
  model: "base" | "guided";
  steps: number[];
  values: number[];
}

/** Bimodality coefficient of the per-image losses by timestep; above 5/9 the losses fall into two populations. */
export interface ReportProfile {
  timesteps: number[];
  series: { label: string; coefficients: number[] }[];
}

/** The groups that were inferred among the images of one caption. */
export interface ReportCaptionGroups {
  caption: string;
  groups: {
    /** Such as "Group 1". */
    label: string;
    size: number;
    /** The most typical images, best first. */
    images: ReportImage[];
    /** Share of each attribute value in this group: evaluation only. */
    shares?: number[];
  }[];
}

/** Inferred groups. */
export interface ReportGroups {
  /** How they were found, in a sentence or two. */
  method: string;
  captions: ReportCaptionGroups[];
  /** How they line up with the hidden attribute: evaluation only. */
  agreement?: { auc?: number; precision?: number; recall?: number; purity?: number };
  /** The same for each of several hidden attributes. */
  agreementByAttribute?: { attribute: string; auc: number; precision: number; recall: number }[];
  /** Images of each group that have each combination of rare and usual values, with several attributes. */
  combinations?: { names: string[]; counts: number[][] };
}

/** A classifier that the evaluation relies on. */
export interface ReportClassifier {
  /** What it recognises, such as "background". */
  name: string;
  /** On held-out real images. */
  accuracy: Measured;
  heldOutImages: number;
}

/** Wall-clock time of a stage. */
export interface ReportStageTime {
  stage: string;
  seconds: number;
  /** True when a finished earlier result was reused; `seconds` is then what it took originally. */
  reused?: boolean;
}

/** Input of `renderReport`. */
export interface ReportData {
  /** Such as "Birds". */
  title: string;
  /** ISO 8601 date and time. */
  createdAt: string;
  dataset: {
    /** Such as "the procedural birds". */
    name: string;
    trainingImages: number;
    /** A paragraph about the images. */
    description?: string;
  };
  /** Undefined: the bias cannot be measured, only groups and samples are shown. */
  attribute?: ReportAttribute;
  prompts: ReportPrompt[];
  /** Whether group inference found a second population. "no-second-population" is an honest result, not an error. */
  outcome: "groups-found" | "no-second-population";
  /** True when the groups are the true labels (a comparison run); the text then makes no claim of "without labels". */
  groupsFromLabels?: boolean;
  /** First "base", then "guided" where a module was trained, then further rows. */
  models: ReportModel[];
  /** Generated images per prompt and model. */
  imagesPerPrompt?: number;
  /** Such as "features of the evaluation classifier (64 numbers per image)". */
  fidFeatureSpace?: string;
  /** Such as "2,000 balanced validation images". */
  fidReference?: string;
  samples: ReportSamples[];
  curves: ReportCurve[];
  profile?: ReportProfile;
  groups?: ReportGroups;
  classifiers: ReportClassifier[];
  /** Such as the images most and least clearly showing the rare value, by the classifier's confidence. */
  extremes?: { title: string; note: string; grids: ImageGrid[] }[];
  stages: ReportStageTime[];
  totalSeconds: number;
  /** The whole configuration as YAML. */
  settingsYaml: string;
  versions: Record<string, string>;
  /** Commands, one per line, that repeat this run. */
  reproduce: string[];
  /** One sentence each, shown at the top. */
  warnings: string[];
}
