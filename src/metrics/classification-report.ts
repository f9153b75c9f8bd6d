// How well a classifier does on labelled images, with scikit-learn's definitions (0 where a share has no images).
// Reference: src/train_classifier.py calculate_metrics.
import { accuracy, confusionMatrix } from "./accuracy.ts";
import { rocAuc } from "./auc.ts";

/** Precision, recall and their harmonic mean. */
export interface PrecisionRecallF1 {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

export interface ClassificationReport {
  readonly accuracy: number;
  /** `confusion[true][predicted]`: counts. */
  readonly confusion: number[][];
  /** Of each value; `support`: how many images have it. */
  readonly perClass: (PrecisionRecallF1 & { readonly support: number })[];
  /** Means over the values that occur among the true or the predicted ones. */
  readonly macro: PrecisionRecallF1;
  /**
   * What the reference prints: for two values those of value 1, else the macro means; AUC (only when two values occur)
   * of the predicted labels, not of scores.
   */
  readonly reference: PrecisionRecallF1 & { readonly auc?: number };
  /** AUC of the scores of value 1; undefined without scores, for another number of values, or when one does not occur. */
  readonly auc?: number;
}

/**
 * @param truth labels 0..classes-1
 * @param predicted labels 0..classes-1
 * @param scores probability (or any score) of value 1 of each image, for two values
 */
export function classificationReport(
  truth: ArrayLike<number>,
  predicted: ArrayLike<number>,
  classes: number,
  { scores }: { scores?: ArrayLike<number> } = {},
): ClassificationReport {
  const confusion = confusionMatrix(predicted, truth, classes);
  const perClass = confusion.map((row, c) => {
    const hits = row[c]!;
    const support = row.reduce((sum, count) => sum + count, 0);
    const named = confusion.reduce((sum, other) => sum + other[c]!, 0);
    const share = (of: number) => (of > 0 ? hits / of : 0);
    const f1 = support + named > 0 ? (2 * hits) / (support + named) : 0;
    return { precision: share(named), recall: share(support), f1, support, named };
  });
  const present = perClass.filter(({ support, named }) => support + named > 0);
  const mean = (key: keyof PrecisionRecallF1) =>
    present.reduce((sum, own) => sum + own[key], 0) / present.length;
  const macro = { precision: mean("precision"), recall: mean("recall"), f1: mean("f1") };
  const { precision, recall, f1 } = classes === 2 ? perClass[1]! : macro;
  const occurring = perClass.flatMap(({ support }, c) => (support > 0 ? [c] : []));
  const positives = Array.from(truth, (label) => label === occurring[1]);
  const auc = (of: ArrayLike<number>) => rocAuc(of, positives);
  return {
    accuracy: accuracy(predicted, truth),
    confusion,
    perClass: perClass.map(({ named: _, ...own }) => own),
    macro,
    reference: { precision, recall, f1, ...(occurring.length === 2 ? { auc: auc(predicted) } : {}) },
    ...(scores && classes === 2 && occurring.length === 2 ? { auc: auc(scores) } : {}),
  };
}
