// The hidden attributes of the training images, for judging the groups afterwards. Evaluation only.
import { readEvaluationColumns } from "../../data/evaluation-columns.ts";
import { groupPurity, labellingPrecisionRecall, largestInRows, rocAuc } from "../../metrics/index.ts";
import { hiddenColumns } from "../config.ts";
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

/** Labels of the training images, one entry per hidden column, the headline first; empty if none is configured. */
export function readTrainingLabels(
  context: StageContext,
  {
    ids,
    captions,
    captionOf,
  }: { ids: readonly string[]; captions: readonly string[]; captionOf: Int32Array },
): TrainingLabels[] {
  const columns = hiddenColumns(context.config);
  if (columns.length === 0) return [];
  const { path, split } = trainFolder(context);
  const rows = readEvaluationColumns(path, columns, { split });
  return columns.map((name) => {
    const text = ids.map((id) => String(rows.get(id)![name]));
    const values = [...new Set(text)].sort();
    const labels = text.map((value) => values.indexOf(value));
    const counts = captions.map(() => values.map(() => 0));
    labels.forEach((label, i) => counts[captionOf[i]!]![label]!++);
    const shares = counts.map((row) => {
      const total = row.reduce((sum, count) => sum + count, 0);
      return row.map((count) => (total > 0 ? count / total : 0));
    });
    const minority = labels.map((label, i) => shares[captionOf[i]!]![label]! <= RARE);
    return { name, values, labels, shares, minority };
  });
}

type Labels = Pick<TrainingLabels, "name" | "minority">;

const isMixed = ({ minority }: Labels): boolean => minority.includes(true) && minority.includes(false);

/**
 * How groups and hidden attributes agree; numbers that need labels are left out without them. With several attributes
 * the top numbers are the first one's, and `cells` judges the groups against all combinations of rare and usual values.
 */
export function evaluateGroups(groups: StoredGroups, labels: readonly Labels[]): GroupEvaluation {
  const { found, scores } = groups;
  const sizes = [...groups.sizes];
  const [first] = labels;
  if (!first || !isMixed(first)) return { auc: null, sizes, found };
  const assigned = largestInRows(groups.weights, groups.count);
  const evaluation = {
    ...{ sizes, found },
    ...evaluateAttribute(groups, assigned, first),
    // The score is finer than the weights, most of which are close to 0 or 1.
    auc: scores ? rocAuc(scores, first.minority) : null,
    purity: groupPurity(assigned, first.minority.map(Number), { groups: groups.count, values: 2 }).purity,
  };
  if (labels.length === 1) return evaluation;
  const attributes = Object.fromEntries(
    labels.filter(isMixed).map((own) => [own.name, evaluateAttribute(groups, assigned, own)]),
  );
  return { ...evaluation, attributes, cells: evaluateCells(groups, assigned, labels) };
}

/**
 * One attribute, judged by the groups that hold more rare than usual values, or the one that holds the most if none
 * does (the order of groups is arbitrary); the area under the curve is that of the expected rarity of an image's groups.
 */
function evaluateAttribute(
  { weights, count }: StoredGroups,
  assigned: readonly number[],
  { minority }: Labels,
) {
  const members = new Array<number>(count).fill(0);
  const rare = new Array<number>(count).fill(0);
  assigned.forEach((g, i) => {
    members[g]!++;
    if (minority[i]) rare[g]!++;
  });
  const shares = rare.map((own, g) => own / Math.max(1, members[g]!));
  const richest = shares.indexOf(Math.max(...shares));
  const expected = assigned.map((_, i) =>
    shares.reduce((sum, share, g) => sum + share * weights[i * count + g]!, 0),
  );
  return {
    auc: rocAuc(expected, minority),
    ...labellingPrecisionRecall(
      assigned.map((g) => g === richest || shares[g]! > 0.5),
      minority,
    ),
  };
}

/** Against the combinations of all attributes, coded in binary with the first attribute as the lowest digit. */
function evaluateCells({ count }: StoredGroups, assigned: readonly number[], labels: readonly Labels[]) {
  const cell = assigned.map((_, i) =>
    labels.reduce((code, { minority }, a) => code + (+minority[i]! << a), 0),
  );
  const values = 2 ** labels.length;
  const { purity, counts } = groupPurity(assigned, cell, { groups: count, values });
  return { purity, names: cellNames(labels), counts };
}

const cellNames = (labels: readonly Labels[]): string[] =>
  Array.from({ length: 2 ** labels.length }, (_, code) => {
    const rare = labels.filter((_, a) => code & (1 << a)).map(({ name }) => `rare ${name}`);
    return rare.length > 0 ? rare.join(", ") : "usual";
  });
