// How well a score or a labelling without labels lines up with a known attribute (evaluation only).
import { ShapeError } from "../torch/index.ts";
import { crossTable, requireSameLength } from "./counts.ts";

/**
 * Area under the ROC curve: the probability that a positive item scores above a negative one, ties counting half
 * (Mann-Whitney U by mid-ranks).
 *
 * @param positives 1 or true for positive items
 * @throws ShapeError when one class is empty, lengths differ, or a score is not a number.
 */
export function rocAuc(scores: ArrayLike<number>, positives: ArrayLike<number | boolean>): number {
  requireSameLength(scores, positives);
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i).sort(
    (i, j) => scores[i]! - scores[j]!,
  );
  let positiveCount = 0;
  let rankSum = 0;
  for (let start = 0; start < order.length;) {
    const score = scores[order[start]!]!;
    if (Number.isNaN(score))
      throw new ShapeError(`score at index ${order[start]} is NaN; expected numbers only.`);
    let end = start;
    while (end < order.length && scores[order[end]!] === score) end++;
    const midRank = (start + 1 + end) / 2;
    for (let i = start; i < end; i++)
      if (positives[order[i]!]) {
        positiveCount++;
        rankSum += midRank;
      }
    start = end;
  }
  const negativeCount = scores.length - positiveCount;
  if (positiveCount === 0 || negativeCount === 0)
    throw new ShapeError(
      `AUC of ${positiveCount} positive and ${negativeCount} negative items; expected at least one of each.`,
    );
  return (rankSum - (positiveCount * (positiveCount + 1)) / 2) / (positiveCount * negativeCount);
}

/** Precision and recall of a 0/1 labelling; 0 where nothing was predicted (or nothing is positive). */
export function labellingPrecisionRecall(
  predicted: ArrayLike<number | boolean>,
  actual: ArrayLike<number | boolean>,
): { precision: number; recall: number } {
  requireSameLength(predicted, actual);
  let hits = 0;
  let marked = 0;
  let positive = 0;
  for (let i = 0; i < actual.length; i++) {
    if (predicted[i]) marked++;
    if (actual[i]) positive++;
    if (predicted[i] && actual[i]) hits++;
  }
  return { precision: marked > 0 ? hits / marked : 0, recall: positive > 0 ? hits / positive : 0 };
}

/** How groups and attribute values go together. */
export interface GroupPurity {
  /** Share of images that have the most frequent attribute value of their group. */
  purity: number;
  /** `counts[group][value]`. */
  counts: number[][];
  /** `shares[group][value]`; a group's shares sum to 1 (all 0 for an empty group). */
  shares: number[][];
}

/** Purity of groups 0..G-1 with respect to attribute values 0..V-1. */
export function groupPurity(
  groups: ArrayLike<number>,
  attribute: ArrayLike<number>,
  size: { groups: number; values: number },
): GroupPurity {
  const counts = crossTable(groups, attribute, { rows: size.groups, columns: size.values });
  const totals = counts.map((row) => row.reduce((sum, count) => sum + count, 0));
  const largest = counts.reduce((sum, row) => sum + Math.max(...row), 0);
  const shares = counts.map((row, g) => row.map((count) => (totals[g]! > 0 ? count / totals[g]! : 0)));
  return { purity: largest / groups.length, counts, shares };
}
