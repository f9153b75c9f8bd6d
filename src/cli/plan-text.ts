// What a run is going to do, before it starts.
import {
  bytesText,
  type ExperimentConfig,
  imagesPerPrompt,
  type TrainingConfig,
  freeDiskBytes,
  type PlannedStage,
  resolveModule,
  resolveThreads,
} from "../experiment/index.ts";
import { durationText, numberText, table } from "./text.ts";

const STATES = {
  finished: "reused",
  new: "to do",
  resumable: "to resume",
  discarded: "to do again",
  changed: "to replace",
} as const;

/** The plan as text: settings in one line, one line per stage, what it needs. */
export function planText(plan: readonly PlannedStage[], config: ExperimentConfig, out: string): string {
  const threads = resolveThreads(config);
  const device =
    config.device === "cpu" ? `cpu${threads === undefined ? "" : `, ${threads} threads`}` : config.device;
  const rows = plan.map(({ stage, state }) => [stage.name, STATES[state], workText(stage.name, config)]);
  const lines = [`${config.name}, seed ${config.seed}, ${device} -> ${out}`, table(rows)];
  const isToDo = plan.some(({ state }) => state !== "finished");
  if (isToDo) lines.push(needsText(config, out));
  return lines.join("\n");
}

function workText(stage: string, config: ExperimentConfig): string {
  const { data, base, groups, guidance, samples, evaluation } = config;
  switch (stage.split("-")[0]) {
    case "data":
      return `${numberText(data.train)} + ${numberText(data.validation)} images, ${data.resolution} x ${data.resolution}`;
    case "latents":
      return data.cache && data.crop === "centre"
        ? "images and captions through the frozen encoders, once"
        : "images and captions are encoded at every step";
    case "reweighted":
      return `batches balanced over the groups, no guidance: ${trainingText(base)}`;
    case "base":
      return base.skip ? "the model's own U-Net" : trainingText(base);
    case "groups":
      return groupsText(groups);
    case "guidance":
      return `${guidance.form}, ${resolveModule(config)}: ${trainingText(guidance)}`;
    case "samples":
      return `${numberText(imagesPerPrompt(config))} images per prompt and model, ${samples.steps} steps`;
    case "classifiers":
      return `${numberText(evaluation.classifierSteps)} steps; for the evaluation only`;
    case "evaluation":
      return evaluation.hiddenColumn === undefined
        ? "no attribute column named: bias is not measured"
        : `bias of "${[evaluation.hiddenColumn].flat().join('", "')}", ${numberText(evaluation.bootstrap)} bootstrap draws`;
    case "report":
      return "report.html";
    default:
      return "";
  }
}

function trainingText({ steps, epochs, batchSize, accumulation }: TrainingConfig): string {
  const length =
    epochs === undefined ? `${numberText(steps)} steps` : `${epochs} ${epochs === 1 ? "epoch" : "epochs"}`;
  return `${length} of ${accumulation > 1 ? `${accumulation} x ` : ""}${batchSize} images`;
}

function groupsText({
  method,
  signal,
  solver,
  oracleColumn,
  file,
  column,
}: ExperimentConfig["groups"]): string {
  switch (method) {
    case "oracle":
      return `true labels from ${[oracleColumn]
        .flat()
        .map((name) => `"${name}"`)
        .join(", ")}`;
    case "reference":
      return "the reference's signal and solver";
    case "file":
      return `soft groups of ${file}`;
    case "column":
      return `hard groups by column "${column}"`;
    case "inferred":
      return `signal ${signal}, solver ${solver}, no labels`;
  }
}

function needsText(config: ExperimentConfig, out: string): string {
  const free = freeDiskBytes(out);
  const disk = `${free === undefined ? "" : `${bytesText(free)} of disk free`}`;
  const seconds = quickEstimate(config);
  const time =
    seconds === undefined
      ? ""
      : `about ${durationText(seconds)} when nothing is reused; about 2 GB of memory, 0.2 GB of disk`;
  return [time, disk].filter((part) => part !== "").join("; ");
}

/** Rough time of a whole run with the small model that comes with this package on a processor; undefined for others. */
export function quickEstimate(config: ExperimentConfig): number | undefined {
  if (config.model.path !== undefined || config.device !== "cpu" || config.data.kind !== "birds")
    return undefined;
  const { data, base, groups, guidance, samples } = config;
  if (base.epochs !== undefined || guidance.epochs !== undefined || !data.cache) return undefined;
  // Seconds per image, measured on two cores: one forward 0.75 ms, forward and backward 2.6 ms, with adapters 2.8 ms.
  const forwards = groups.contrast === "none" ? 1 : 2;
  const work =
    (data.train + data.validation) * 0.003 +
    base.steps * base.batchSize * base.accumulation * 0.0026 +
    data.train * groups.timesteps.length * groups.noises * forwards * 0.00075 +
    guidance.steps * guidance.batchSize * guidance.accumulation * 0.0028 +
    (samples.prompts?.length ?? 2) * imagesPerPrompt(config) * 2 * samples.steps * 2 * 0.00075 +
    20;
  const threads = resolveThreads(config) ?? 2;
  return Math.max(30, Math.round((work * 2) / Math.min(threads, 8) / 30) * 30);
}
