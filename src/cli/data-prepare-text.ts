// What a prepared data set holds, for people.
import { join } from "node:path";
import type { PreparePlan } from "../data/prepare/index.ts";
import { numberText, table } from "./text.ts";

/** A line for each group with the images chosen of those there are, and what was left out. */
export function planTable({ groups, ratio, splits, unused, skipped }: PreparePlan): string {
  const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
  const cell = (counts: readonly number[], available: readonly number[], g: number): string =>
    `${numberText(counts[g] ?? 0)} of ${numberText(available[g] ?? 0)}`;
  const rows = [
    ["group", ...splits.map(({ split }) => split)],
    ...groups.map((group, g) => [
      `${g} ${group}`,
      ...splits.map(({ counts, available }) => cell(counts, available, g)),
    ]),
    ["all", ...splits.map(({ counts, available }) => cell([sum(counts)], [sum(available)], 0))],
  ];
  const notes = Object.entries(unused).map(
    ([reason, count]) => `  ${numberText(count)} images in no group: ${reason}`,
  );
  if (skipped.length > 0)
    notes.push(`  ${numberText(skipped.length)} images left out, such as ${skipped[0]}`);
  return [`Training images ${ratio}:`, table(rows), ...notes].join("\n");
}

/** What was written where, and how a configuration uses it. */
export function preparedText({ splits, evaluation, skipped }: PreparePlan, out: string): string {
  const counts = splits.map(({ split, images }) => `${numberText(images.length)} ${split}`).join(", ");
  const { subjectColumn, hiddenColumn } = evaluation;
  const columns = [
    ...(subjectColumn === undefined ? [] : [`subjectColumn: ${subjectColumn}`]),
    `hiddenColumn: ${hiddenColumn}`,
  ];
  const validation = splits.some(({ split }) => split === "validation");
  return [
    `Wrote ${counts} images to ${out}.`,
    ...(skipped.length > 0
      ? [`Left out ${numberText(skipped.length)} images: ${join(out, "dataset.json")} names them.`]
      : []),
    "In a configuration:",
    `  data: { kind: folder, path: ${out}${validation ? `, validationPath: ${join(out, "validation")}` : ""} }`,
    `  evaluation: { ${columns.join(", ")} }`,
  ].join("\n");
}
