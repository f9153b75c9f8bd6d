// The report of a comparison of finished images: the table, the pictures, nothing of a training.
import { readFile } from "node:fs/promises";

import { biasFloor } from "../../metrics/index.ts";
import type { ExperimentConfig } from "../config-schema.ts";
import type { ReportData, ReportImage } from "../report/index.ts";
import { reportClassifier, sharesOf } from "../report-rows.ts";
import { attributeCounts } from "./bias-rows.ts";
import { classifierQuality } from "./classifier-quality.ts";
import type { EvaluationTable } from "./evaluate-models.ts";
import type { JudgedModel } from "./models.ts";
import type { SampledImage } from "./sample-folder.ts";

/** Images shown of each model and prompt: the first ones. */
const SHOWN = 16;

interface Parts {
  readonly models: readonly JudgedModel[];
  readonly prompts: readonly string[];
  readonly table: EvaluationTable;
  readonly sampled: readonly { readonly label: string; readonly images: readonly SampledImage[] }[];
  readonly settings: Pick<ExperimentConfig, "evaluation" | "seed">;
}

/** Errors: those of reading the pictures that are shown. */
export async function comparisonReport({
  models,
  prompts,
  table,
  sampled,
  settings,
}: Parts): Promise<Omit<ReportData, "totalSeconds" | "versions" | "reproduce">> {
  const { rows, attributes, warnings } = table;
  const [first] = attributes;
  const fewest = Math.min(
    ...models.flatMap(({ promptOf }) => prompts.map((_, p) => promptOf.filter((own) => own === p).length)),
  );
  const counts = first && attributeCounts(first, models, prompts.length);
  const value = (key: string, m: number) => rows.find((row) => row.key === key && !row.skipped)?.values[m];
  const perPrompt = (key: string, m: number) =>
    rows.find((row) => row.key === key)?.perPrompt?.map((list) => list[m]);
  return {
    title: "Comparison of models",
    createdAt: new Date().toISOString(),
    ...(first && { attribute: { name: first.judge.column, values: first.judge.values } }),
    prompts: prompts.map((prompt) => ({ prompt })),
    models: models.map(({ key, label, description }, m) => {
      const bias = value("bias", m);
      return {
        ...{ key, label, description },
        ...(bias && { bias, biasPerPrompt: perPrompt("bias", m)! }),
        ...(counts && { sharesPerPrompt: sharesOf(counts[m]!) }),
      };
    }),
    metrics: rows,
    ...(first && {
      biasFloor: biasFloor(fewest, first.judge.values.length, { prompts: prompts.length }).expected,
    }),
    imagesPerPrompt: fewest,
    samples: await Promise.all(
      prompts.map(async (prompt) => ({
        prompt,
        grids: await Promise.all(
          sampled.map(async ({ label, images }, m) => ({
            ...{ label, model: models[m]!.key },
            images: await picturesOf(images.filter((own) => own.prompt === prompt).slice(0, SHOWN), label),
          })),
        ),
      })),
    ),
    curves: [],
    classifiers: attributes.flatMap(({ judge }) => {
      const quality = classifierQuality(judge);
      return quality ? [reportClassifier(judge.column, quality)] : [];
    }),
    stages: [],
    settingsYaml: settingsText(settings),
    warnings,
  };
}

const settingsText = ({ evaluation, seed }: Parts["settings"]): string =>
  [["seed", seed] as const, ...Object.entries(evaluation)]
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
    .join("\n");

const picturesOf = (images: readonly SampledImage[], label: string): Promise<ReportImage[]> =>
  Promise.all(
    images.map(async ({ file, prompt }, i) => ({
      bytes: await readFile(file),
      alt: `${label}, ${prompt}, sample ${i + 1}`,
    })),
  );
