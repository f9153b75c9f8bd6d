// Puts together what report.html and evaluation.json say, from the folders of the finished stages.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { UserError } from "../torch/index.ts";
import { configToYaml, type ExperimentConfig } from "./config.ts";
import { type Manifest, readManifest } from "./manifest.ts";
import type { EvaluationJson, ModelEvaluation, ReportData, ReportModel } from "./report/index.ts";
import { extremeGrids, sampleGrids } from "./report-pictures.ts";
import { type EvaluationResult, readEvaluationResult } from "./stages/evaluation.ts";
import { trainFolder } from "./stages/folders.ts";
import type { GroupsSummary } from "./stages/groups.ts";
import { experimentStages, groupsSuffix } from "./stages/index.ts";
import { readJsonIfThere } from "./stages/materials.ts";
import type { SamplesSummary } from "./stages/samples.ts";
import type { StageContext } from "./stage.ts";

export interface CollectedReport {
  readonly data: ReportData;
  readonly evaluation: EvaluationJson;
}

const OTHER_WAYS = [
  {
    suffix: "",
    key: "inferred",
    label: "Guided, inferred groups",
    description: "Guidance trained on groups inferred without labels.",
  },
  {
    suffix: "-oracle",
    key: "oracle",
    label: "Guided, true labels",
    description: "The same guidance, trained on the true labels: what perfect groups would give.",
  },
  {
    suffix: "-reference",
    key: "reference",
    label: "Guided, reference's groups",
    description: "The same guidance, trained on groups from the reference's own signal and solver.",
  },
];

/** Reads a finished experiment. Throws UserError if its evaluation is not finished. */
export function collectReport(
  out: string,
  config: ExperimentConfig,
  { reproduce }: { reproduce: readonly string[] },
): CollectedReport {
  const suffix = groupsSuffix(config);
  const result = readEvaluationResult(join(out, `evaluation${suffix}`));
  if (!result)
    throw new UserError(`${out} has no finished evaluation${suffix}. Run \`invdiff evaluate\` on it first.`);
  const manifests = experimentStages(config).flatMap(({ name }) => readManifest(join(out, name)) ?? []);
  const perStage = Object.fromEntries(manifests.map(({ stage, seconds }) => [stage, round(seconds)]));
  const total = round(manifests.reduce((sum, { seconds }) => sum + seconds, 0));
  // Another way's evaluation is comparable only if it saw the same base, images and classifiers.
  const needsOf = (way: string) => readManifest(join(out, `evaluation${way}`))?.needs;
  const own = needsOf(suffix);
  const isComparable = ({ suffix: way }: { suffix: string }) =>
    ["latents", "samples-base", "classifiers"].every((name) => needsOf(way)?.[name] === own?.[name]);
  const others = OTHER_WAYS.filter((way) => way.suffix !== suffix && isComparable(way)).flatMap((way) => {
    const other = readEvaluationResult(join(out, `evaluation${way.suffix}`));
    return other ? [{ ...way, guided: other.guided }] : [];
  });
  const versions = manifests.at(-1)?.versions ?? {};
  const named = Object.fromEntries(others.map(({ key, guided }) => [key, guided]));
  const evaluation: EvaluationJson = {
    base: result.base,
    guided: result.guided,
    ...(config.groups.method === "oracle" ? { oracle: result.guided } : {}),
    ...named,
    groups: result.groups,
    classifiers: result.classifiers,
    fidFeatureSpace: result.fidFeatureSpace,
    seconds: { total, perStage },
    versions,
  };
  const data = reportData({ out, config, result, manifests, others, reproduce: [...reproduce] });
  return { data: { ...data, versions, totalSeconds: total }, evaluation };
}

const round = (seconds: number): number => Math.round(seconds * 100) / 100;

interface Parts {
  readonly out: string;
  readonly config: ExperimentConfig;
  readonly result: EvaluationResult;
  readonly manifests: readonly Manifest[];
  readonly others: readonly { key: string; label: string; description: string; guided: ModelEvaluation }[];
  readonly reproduce: string[];
}

function reportData({
  out,
  config,
  result,
  manifests,
  others,
  reproduce,
}: Parts): Omit<ReportData, "versions" | "totalSeconds"> {
  const suffix = groupsSuffix(config);
  const groups = readJsonIfThere<GroupsSummary>(join(out, `groups${suffix}`, "groups.json"))!;
  const summary = readJsonIfThere<SamplesSummary>(join(out, "samples-base", "samples.json"))!;
  const { attribute } = result;
  const models = [
    { label: "Base model", dir: join(out, "samples-base"), predicted: result.predicted?.base },
    { label: "Guided model", dir: join(out, `samples${suffix}`), predicted: result.predicted?.guided },
  ];
  const birds = config.data.kind === "birds";
  const images = groups.sizes.reduce((sum, size) => sum + size, 0);
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
    attribute: attribute ? { name: attribute.name, values: [...attribute.values] } : undefined,
    prompts: summary.prompts.map((prompt, p) => ({
      prompt,
      trainingShares: mutable(result.trainingShares[p]),
    })),
    outcome: groups.found ? "groups-found" : "no-second-population",
    groupsFromLabels: config.groups.method === "oracle",
    models: [
      reportModel("base", "Base model", result.base, "The model fine-tuned on the data as it is."),
      reportModel("guided", "Guided model", result.guided, "The same base with its guidance."),
      ...others.map(({ key, label, description, guided }) => reportModel(key, label, guided, description)),
    ],
    imagesPerPrompt: summary.perPrompt,
    fidFeatureSpace: result.fidFeatureSpace,
    fidReference: result.fidReference,
    samples: sampleGrids(models, summary, attribute),
    curves: [
      ...curve(join(out, "base"), "Base model: fine-tuning", "base"),
      ...curve(join(out, `guidance${suffix}`), "Guidance: objective over the groups", "guided"),
    ],
    profile: profileOf(groups),
    groups: {
      method: `${groups.method[0]!.toUpperCase()}${groups.method.slice(1)}.`,
      captions: groups.found ? gallery(out, config, result) : [],
      agreement: agreementOf(result),
      ...furtherAgreement(result),
    },
    classifiers: Object.entries(result.classifiers).map(
      ([name, { accuracy, accuracyInterval, heldOutImages }]) => ({
        name,
        accuracy: { value: accuracy, interval: accuracyInterval },
        heldOutImages,
      }),
    ),
    extremes: extremeGrids(models, summary, result),
    stages: manifests.map(({ stage, seconds }) => ({ stage, seconds })),
    settingsYaml: configToYaml(config),
    reproduce,
    warnings: [],
  };
}

const mutable = (values: readonly number[] | null | undefined): number[] | undefined =>
  values ? [...values] : undefined;

function reportModel(key: string, label: string, model: ModelEvaluation, description: string): ReportModel {
  const { bias, biasInterval, promptAccuracy, promptAccuracyInterval, fid } = model;
  const counts = Object.values(model.attributeCounts).map((row) => Object.values(row));
  return {
    key,
    label,
    description,
    ...(bias !== null && { bias: { value: bias, interval: biasInterval ?? undefined } }),
    ...(bias !== null && {
      biasPerPrompt: Object.entries(model.biasPerPrompt).map(([prompt, value]) => ({
        value,
        interval: model.biasPerPromptInterval[prompt],
      })),
      sharesPerPrompt: counts.map((row) => {
        const total = row.reduce((sum, count) => sum + count, 0);
        return row.map((count) => count / total);
      }),
    }),
    ...(model.attributes && {
      furtherBias: Object.entries(model.attributes).flatMap(([attribute, own]) =>
        own.bias === null
          ? []
          : [{ attribute, bias: { value: own.bias, interval: own.biasInterval ?? undefined } }],
      ),
    }),
    ...(promptAccuracy !== null && {
      promptAccuracy: { value: promptAccuracy, interval: promptAccuracyInterval ?? undefined },
    }),
    ...(fid !== null && { fid: { value: fid } }),
  };
}

function curve(dir: string, title: string, model: "base" | "guided"): ReportData["curves"] {
  const path = join(dir, "losses.json");
  const values = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as number[]) : [];
  return values.length > 0 ? [{ title, model, steps: values.map((_, i) => i + 1), values }] : [];
}

/** Bimodality by timestep, averaged over the noises; undefined for signals without fixed timesteps. */
function profileOf({ columns = [], bimodality = [] }: GroupsSummary): ReportData["profile"] {
  const timesteps = [...new Set(columns.map(({ timestep }) => timestep))].filter(
    (t) => typeof t === "number",
  );
  if (timesteps.length < 2) return undefined;
  timesteps.sort((a, b) => a - b);
  const coefficients = timesteps.map((timestep) => {
    const own = bimodality.filter((_, i) => columns[i]!.timestep === timestep);
    return own.reduce((sum, value) => sum + value, 0) / own.length;
  });
  return { timesteps, series: [{ label: "all captions", coefficients }] };
}

function agreementOf({ groups: { auc, precision, recall, purity } }: EvaluationResult) {
  if (precision === undefined) return undefined;
  return { ...(auc !== null && { auc }), precision, recall, purity };
}

function furtherAgreement({ groups: { attributes, cells } }: EvaluationResult) {
  return {
    ...(attributes && {
      agreementByAttribute: Object.entries(attributes).map(([attribute, own]) => ({ attribute, ...own })),
    }),
    ...(cells && { combinations: { names: cells.names, counts: cells.counts } }),
  };
}

function gallery(out: string, config: ExperimentConfig, { gallery: captions }: EvaluationResult) {
  const { path, split } = trainFolder({ config, input: (stage) => join(out, stage) } as StageContext);
  const folder = split ?? (existsSync(join(path, "metadata.jsonl")) ? "" : "train");
  return captions.map(({ caption, groups }) => ({
    caption,
    groups: groups.map(({ label, size, ids, shares }) => ({
      label,
      size,
      images: ids.map((id) => ({
        png: readFileSync(join(path, folder, id)),
        alt: `Training image ${id}, “${caption}”, ${label}`,
      })),
      shares: mutable(shares),
    })),
  }));
}
