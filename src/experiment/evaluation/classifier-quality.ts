// How good a classifier is, as evaluation.json and the report say it.
import type { ClassifierEvaluation } from "../report/index.ts";
import type { AttributeJudge } from "./judge.ts";

/** Undefined where nobody has measured it. */
export function classifierQuality({
  quality,
  values,
  architecture,
}: AttributeJudge): ClassifierEvaluation | undefined {
  if (!quality) return undefined;
  const { accuracy, heldOutImages, confusion, precision, recall, f1, auc } = quality;
  return {
    ...{ accuracy: accuracy.value, accuracyInterval: accuracy.interval, heldOutImages, architecture, values },
    ...Object.fromEntries(
      Object.entries({ confusion, precision, recall, f1, auc }).filter(([, value]) => value !== undefined),
    ),
  };
}
