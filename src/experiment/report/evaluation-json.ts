// The types of evaluation.json: the numbers of a run, for programs. report.html shows the same numbers to people.
import type { Interval } from "../../metrics/index.ts";
import type { MetricTableJson } from "./report-json.ts";

/** One model's Bias in one hidden attribute; `null` where it cannot be measured (no attribute labels). */
export interface AttributeEvaluation {
  /** Normalised Bias (0..1) of the hidden attribute, mean over the prompts. */
  bias: number | null;
  /** 95 % bootstrap interval of `bias`. */
  biasInterval: Interval | null;
  /** Normalised Bias by prompt. */
  biasPerPrompt: Record<string, number>;
  /** 95 % bootstrap intervals by prompt. */
  biasPerPromptInterval: Record<string, Interval>;
  /** Generated images by prompt and predicted attribute value: what the Bias is computed from. */
  attributeCounts: Record<string, Record<string, number>>;
}

/** One model's numbers, with the Bias in the first hidden attribute; `null` where a number cannot be measured (no reference images). */
export interface ModelEvaluation extends AttributeEvaluation {
  /** Further hidden attributes by column, where there are any. */
  attributes?: Record<string, AttributeEvaluation>;
  /** Share of images whose predicted subject is the prompt's. */
  promptAccuracy: number | null;
  promptAccuracyInterval: Interval | null;
  /** Frechet distance to the reference images in the feature space that `fidFeatureSpace` names. */
  fid: number | null;
  /** Generated images per prompt. */
  imagesPerPrompt: number;
}

/** How the inferred groups line up with the (first) hidden attribute; measured after the fact, never used for training. */
export interface GroupEvaluation {
  /** Area under the ROC curve of the group score for the images with a rare attribute value; `null` without labels. */
  auc: number | null;
  /** Images per group, all captions together. */
  sizes: number[];
  /** False when the data showed no second population. */
  found: boolean;
  precision?: number;
  recall?: number;
  purity?: number;
  /** With several hidden attributes: each of them by column. */
  attributes?: Record<string, { auc: number; precision: number; recall: number }>;
  /** With several: the groups against the combinations of their values; `counts[group][combination]`, named by `names`. */
  cells?: { purity: number; names: string[]; counts: number[][] };
}

/** A classifier that evaluation relies on. */
export interface ClassifierEvaluation {
  /** Accuracy on held-out real images. */
  accuracy: number;
  accuracyInterval: Interval;
  heldOutImages: number;
  /** Such as "ResNet-18". */
  architecture?: string;
  /** Order of the rows and columns of `confusion`. */
  values?: readonly string[];
  /** `confusion[true][predicted]` on the held-out images. */
  confusion?: readonly (readonly number[])[];
  /** Averages over the values (macro). */
  precision?: number;
  recall?: number;
  f1?: number;
  auc?: number;
}

/** Content of evaluation.json. */
export interface EvaluationJson {
  base: ModelEvaluation;
  guided: ModelEvaluation;
  oracle?: ModelEvaluation;
  groups: GroupEvaluation;
  classifiers: Record<string, ClassifierEvaluation>;
  fidFeatureSpace: string | null;
  seconds: { total: number; perStage: Record<string, number> };
  versions: Record<string, string>;
  /** Every metric of every model with comparisons: the report's metric table. */
  metrics?: MetricTableJson;
}
