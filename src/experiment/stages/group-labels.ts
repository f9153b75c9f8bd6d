// The hidden attribute of the training images, for judging the groups afterwards. Evaluation only.
import { hiddenColumns } from "../config.ts";
import { readEvaluationColumns } from "../../data/evaluation-columns.ts";
import { groupPurity, labellingPrecisionRecall, rocAuc } from "../../metrics/index.ts";
import type { GroupEvaluation } from "../report/index.ts";
import type { StageContext } from "../stage.ts";
import { trainFolder } from "./folders.ts";
import type { StoredGroups } from "./groups.ts";

/** A value is rare for a caption if at most this share of the caption's images has it. */
const RARE = 0.4;

export interface TrainingLabels {
  readonly name: string;
  readonly values: readonly string[];
  /** Index into `values` of each image, in the order of the latents. */
  readonly labels: readonly number[];
  /** [caption][value]: share among the caption's images. */
  readonly shares: readonly (readonly number[])[];
  /** Whether each image has a value that is rare for its caption. */
  readonly minority: readonly boolean[];
}

/** Labels of the training images; undefined if no hidden column is configured. */
export function readTrainingLabels(
  context: StageContext,
  {
    ids,
    captions,
    captionOf,
  }: { ids: readonly string[]; captions: readonly string[]; captionOf: Int32Array },
): TrainingLabels | undefined {
  const [column] = hiddenColumns(context.config);
  if (column === undefined) return undefined;
  const { path, split } = trainFolder(context);
  const rows = readEvaluationColumns(path, [column], { split });
  const text = ids.map((id) => String(rows.get(id)![column]));
  const values = [...new Set(text)].sort();
  const labels = text.map((value) => values.indexOf(value));
  const counts = captions.map(() => values.map(() => 0));
  labels.forEach((label, i) => counts[captionOf[i]!]![label]!++);
  const shares = counts.map((row) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return row.map((count) => (total > 0 ? count / total : 0));
  });
  const minority = labels.map((label, i) => shares[captionOf[i]!]![label]! <= RARE);
  return { name: column, values, labels, shares, minority };
}

/** Most likely group of each image. */
export const hardGroups = ({ weights, count }: Pick<StoredGroups, "weights" | "count">): number[] =>
  Array.from({ length: weights.length / count }, (_, row) => {
    const own = weights.subarray(row * count, (row + 1) * count);
    return own.indexOf(Math.max(...own));
  });

/** How groups and hidden attribute agree; numbers that need labels are left out without them. */
export function evaluateGroups(groups: StoredGroups, labels: TrainingLabels | undefined): GroupEvaluation {
  const { found, scores } = groups;
  const sizes = [...groups.sizes];
  const rare = labels?.minority.filter(Boolean).length ?? 0;
  if (!labels || rare === 0 || rare === labels.minority.length) return { auc: null, sizes, found };
  const assigned = hardGroups(groups);
  // The group that holds the larger part of the rare images is the one to judge (the spread solver's order is arbitrary).
  const rareShare = sizes.map((_, g) => {
    const members = labels.minority.filter((_, i) => assigned[i] === g);
    return members.filter(Boolean).length / Math.max(1, members.length);
  });
  const target = rareShare.indexOf(Math.max(...rareShare));
  const auc = scores ? rocAuc(scores, labels.minority) : null;
  return {
    auc,
    sizes,
    found,
    ...labellingPrecisionRecall(
      assigned.map((g) => g === target),
      labels.minority,
    ),
    purity: groupPurity(assigned, labels.minority.map(Number), { groups: groups.count, values: 2 }).purity,
  };
}
