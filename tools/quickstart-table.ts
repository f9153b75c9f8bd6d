// The README's table: base, inferred, oracle and reference groups over several finished quickstarts.
// Run: npx tsx tools/quickstart-table.ts runs/seed-0 runs/seed-1 runs/seed-2
import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { EvaluationJson, ModelEvaluation } from "../src/experiment/report/index.ts";

type Run = EvaluationJson & { reference?: ModelEvaluation };

const runs = process.argv
  .slice(2)
  .map((dir) => JSON.parse(readFileSync(join(dir, "evaluation.json"), "utf8")) as Run);
const rows: [string, (run: Run) => ModelEvaluation | undefined][] = [
  ["base (biased)", (run) => run.base],
  ["guided, inferred groups (no labels)", (run) => run.guided],
  ["guided, true labels (`--groups oracle`)", (run) => run.oracle],
  ["guided, the reference's groups (`--groups reference`)", (run) => run.reference],
];
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
const cell = (values: readonly (number | null | undefined)[], digits: number): string => {
  const known = values.filter((value) => value !== null && value !== undefined);
  if (known.length === 0) return "-";
  return `**${mean(known).toFixed(digits)}** (${known.map((value) => value.toFixed(digits)).join(", ")})`;
};

console.log("| model | bias | prompt accuracy | FID |\n| --- | --- | --- | --- |");
for (const [label, pick] of rows) {
  const models = runs.map(pick);
  if (models.every((model) => model === undefined)) continue;
  console.log(
    `| ${label} | ${cell(
      models.map((m) => m?.bias),
      2,
    )} | ${cell(
      models.map((m) => m?.promptAccuracy),
      3,
    )} | ${cell(
      models.map((m) => m?.fid),
      2,
    )} |`,
  );
}
const percent = (value: number | undefined): string => (value === undefined ? "-" : value.toFixed(3));
console.log(
  `\nGroups: AUC ${cell(
    runs.map((run) => run.groups.auc),
    4,
  )}, precision ${runs.map((run) => percent(run.groups.precision)).join(", ")}, recall ${runs.map((run) => percent(run.groups.recall)).join(", ")}`,
);
for (const [i, run] of runs.entries())
  console.log(
    `${process.argv[2 + i]}: ${run.seconds.total.toFixed(0)} s, classifiers ${JSON.stringify(Object.fromEntries(Object.entries(run.classifiers).map(([name, { accuracy }]) => [name, accuracy])))}`,
  );
