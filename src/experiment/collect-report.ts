// Puts together what the report and evaluation.json say, from the folders of the finished stages.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { biasFloor } from "../metrics/index.ts";
import { UserError } from "../torch/index.ts";
import { configToYaml, type ExperimentConfig } from "./config.ts";
import { type Manifest, readManifest } from "./manifest.ts";
import { type EvaluationJson, reportJson, type ReportData } from "./report/index.ts";
import { reportGallery, reportProfile } from "./report-groups.ts";
import { extremeGrids, sampleGrids } from "./report-pictures.ts";
import { allModels, allRows, type OtherEvaluation, reportClassifier, reportModel } from "./report-rows.ts";
import { OTHER_WAYS } from "./stages/compared-models.ts";
import { type EvaluationResult, readEvaluationResult } from "./stages/evaluation.ts";
import type { GroupsSummary } from "./stages/groups.ts";
import { experimentStages, groupsSuffix } from "./stages/index.ts";
import { readJsonIfThere } from "./stages/materials.ts";
import type { SamplesSummary } from "./stages/samples.ts";

export interface CollectedReport {
  readonly data: ReportData;
  readonly evaluation: EvaluationJson;
}

/** Reads a finished experiment. Throws UserError if its evaluation is not finished. */
export async function collectReport(
  out: string,
  config: ExperimentConfig,
  { reproduce }: { reproduce: readonly string[] },
): Promise<CollectedReport> {
  const suffix = groupsSuffix(config);
  const result = readEvaluationResult(join(out, `evaluation${suffix}`));
  if (!result)
    throw new UserError(`${out} has no finished evaluation${suffix}. Run \`invdiff evaluate\` on it first.`);
  const manifests = experimentStages(config).flatMap(({ name }) => readManifest(join(out, name)) ?? []);
  const perStage = Object.fromEntries(manifests.map(({ stage, seconds }) => [stage, round(seconds)]));
  const total = round(manifests.reduce((sum, { seconds }) => sum + seconds, 0));
  const others = otherEvaluations(out, config, result);
  const versions = manifests.at(-1)?.versions ?? {};
  const parts = await reportData({ out, config, result, manifests, others, reproduce: [...reproduce] });
  const data = { ...parts, versions, totalSeconds: total };
  const evaluation: EvaluationJson = {
    base: result.base,
    guided: result.guided,
    ...(config.groups.method === "oracle" ? { oracle: result.guided } : {}),
    ...Object.fromEntries(
      allModels(result, others)
        .slice(2)
        .map(({ key, evaluation: own }) => [key, own]),
    ),
    groups: result.groups,
    classifiers: result.classifiers,
    fidFeatureSpace: result.fidFeatureSpace,
    seconds: { total, perStage },
    versions,
    metrics: reportJson(data),
  };
  return { data, evaluation };
}

const round = (seconds: number): number => Math.round(seconds * 100) / 100;

/** Evaluations of other ways to find groups, as far as they saw the same base, images and classifiers. */
function otherEvaluations(
  out: string,
  config: ExperimentConfig,
  result: EvaluationResult,
): OtherEvaluation[] {
  const suffix = groupsSuffix(config);
  const needsOf = (way: string) => readManifest(join(out, `evaluation${way}`))?.needs;
  const own = needsOf(suffix);
  const isComparable = (way: string) =>
    ["latents", "samples-base", "classifiers"].every((name) => needsOf(way)?.[name] === own?.[name]);
  const isThere = (key: string) => result.models.some((model) => model.key === key);
  return OTHER_WAYS.filter(
    (way) => way.suffix !== suffix && !isThere(way.key) && isComparable(way.suffix),
  ).flatMap(({ key, label, description, suffix: way }) => {
    const other = readEvaluationResult(join(out, `evaluation${way}`));
    return other ? [{ key, label, description, result: other }] : [];
  });
}

interface Parts {
  readonly out: string;
  readonly config: ExperimentConfig;
  readonly result: EvaluationResult;
  readonly manifests: readonly Manifest[];
  readonly others: readonly OtherEvaluation[];
  readonly reproduce: string[];
}

async function reportData({
  out,
  config,
  result,
  manifests,
  others,
  reproduce,
}: Parts): Promise<Omit<ReportData, "versions" | "totalSeconds">> {
  const suffix = groupsSuffix(config);
  const groups = readJsonIfThere<GroupsSummary>(join(out, `groups${suffix}`, "groups.json"))!;
  const summary = readJsonIfThere<SamplesSummary>(join(out, "samples-base", "samples.json"))!;
  const { attribute } = result;
  const models = allModels(result, others);
  const rows = allRows(result, others);
  const sampled = models.map(({ label, stage, predicted }) => ({
    label,
    dir: join(out, stage),
    predicted: predicted ?? undefined,
  }));
  const birds = config.data.kind === "birds";
  const images = groups.sizes.reduce((sum, size) => sum + size, 0);
  const isMeasured = result.base.bias !== null && attribute !== null;
  const profile = reportProfile(join(out, `groups${suffix}`), groups);
  return {
    title: birds ? "Birds and their places" : config.name,
    createdAt: manifests.at(-1)?.startedAt ?? new Date(0).toISOString(),
    dataset: {
      name: birds ? "the procedural birds" : config.data.path!,
      trainingImages: Math.round(images),
      ...(birds && {
        description: `Drawn birds of ${config.data.resolution} by ${config.data.resolution} pixels. Captions name the bird and never the place; ${Math.round(config.data.balance * 100)} % of each bird's images show it on its usual place${config.data.poseBalance === undefined ? "" : `, ${Math.round(config.data.poseBalance * 100)} % in its usual pose`}.`,
      }),
    },
    ...(attribute && { attribute: { name: attribute.name, values: [...attribute.values] } }),
    prompts: summary.prompts.map((prompt, p) => ({
      prompt,
      ...(result.trainingShares[p] && { trainingShares: result.trainingShares[p] }),
    })),
    outcome: groups.found ? "groups-found" : "no-second-population",
    groupsFromLabels: config.groups.method === "oracle",
    models: models.map((model, index) => reportModel(model, rows, index)),
    metrics: rows,
    ...(isMeasured && {
      biasFloor: biasFloor(summary.perPrompt, attribute.values.length, { prompts: summary.prompts.length })
        .expected,
    }),
    imagesPerPrompt: summary.perPrompt,
    fidFeatureSpace: result.fidFeatureSpace,
    fidReference: result.fidReference,
    samples: sampleGrids(sampled, summary, attribute),
    curves: [
      ...curve(join(out, "base"), "Base model: fine-tuning", "base"),
      ...curve(join(out, `guidance${suffix}`), "Guidance: objective over the groups", "guided"),
      ...(config.evaluation.compare.includes("reweighting")
        ? curve(join(out, `reweighted${suffix}`), "Re-weighted data: fine-tuning", "reweighting")
        : []),
    ],
    ...(profile && { profile }),
    groups: {
      method: `${groups.method[0]!.toUpperCase()}${groups.method.slice(1)}.`,
      ...(groups.found ? await reportGallery(out, config, result) : { captions: [] }),
      ...agreementOf(result),
    },
    classifiers: Object.entries(result.classifiers).map(([name, own]) => reportClassifier(name, own)),
    extremes: extremeGrids(sampled.slice(0, 2), summary, result),
    stages: manifests.map(({ stage, seconds, peakMemoryBytes, peakDeviceBytes }) => ({
      ...{ stage, seconds, peakBytes: peakMemoryBytes },
      ...(peakDeviceBytes !== undefined && { devicePeakBytes: peakDeviceBytes }),
    })),
    settingsYaml: configToYaml(config),
    reproduce,
    warnings: result.warnings,
  };
}

/** Training loss of every step, and the validation loss where it was measured. */
function curve(dir: string, title: string, model: string): ReportData["curves"] {
  const path = join(dir, "losses.json");
  const values = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as number[]) : [];
  const validation = validationLosses(join(dir, "metrics.jsonl"));
  const steps = values.map((_, i) => i + 1);
  return values.length > 0
    ? [{ title, model, steps, values, ...(validation.steps.length > 0 && { validation }) }]
    : [];
}

function validationLosses(path: string): { steps: number[]; values: number[] } {
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n").filter(Boolean) : [];
  const measured = lines
    .map((line) => JSON.parse(line) as { step?: number; validationLoss?: number })
    .filter(({ step, validationLoss }) => step !== undefined && validationLoss !== undefined);
  return {
    steps: measured.map(({ step }) => step!),
    values: measured.map(({ validationLoss }) => validationLoss!),
  };
}

function agreementOf({ groups: { auc, precision, recall, purity, attributes, cells } }: EvaluationResult) {
  const numbers = Object.entries({ auc: auc ?? undefined, precision, recall, purity });
  return {
    ...(precision !== undefined && {
      agreement: Object.fromEntries(numbers.filter(([, value]) => value !== undefined)),
    }),
    ...(attributes && {
      agreementByAttribute: Object.entries(attributes).map(([attribute, own]) => ({ attribute, ...own })),
    }),
    ...(cells && { combinations: { names: cells.names, counts: cells.counts } }),
  };
}
