// Accuracy of predicted labels.
import { crossTable, requireSameLength } from "./counts.ts";

/** Share of equal entries. */
export function accuracy(predicted: ArrayLike<number>, actual: ArrayLike<number>): number {
  requireSameLength(predicted, actual);
  let hits = 0;
  for (let i = 0; i < actual.length; i++) if (predicted[i] === actual[i]) hits++;
  return hits / actual.length;
}

/** `matrix[actual][predicted]`: counts for labels 0..classes-1. */
export function confusionMatrix(
  predicted: ArrayLike<number>,
  actual: ArrayLike<number>,
  classes: number,
): number[][] {
  return crossTable(actual, predicted, { rows: classes, columns: classes });
}
