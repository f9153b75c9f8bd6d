// What a run is going to do, before it starts.
import {
  bytesText,
  type ExperimentConfig,
  freeDiskBytes,
  type PlannedStage,
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

function workText(
  stage: string,
  { data, base, groups, guidance, samples, evaluation }: ExperimentConfig,
): string {
  switch (stage.split("-")[0]) {
    case "data":
      return `${numberText(data.train)} + ${numberText(data.validation)} images, ${data.resolution} x ${data.resolution}`;
    case "latents":
      return "images and captions through the frozen encoders, once";
    case "base":
      return base.skip
        ? "the model's own U-Net"
        : `${numberText(base.steps)} steps of ${base.batchSize} images`;
    case "groups":
      return groups.method === "oracle"
        ? `true labels from column "${groups.oracleColumn}"`
        : groups.method === "reference"
          ? "the reference's signal and solver"
          : `signal ${groups.signal}, solver ${groups.solver}, no labels`;
    case "guidance":
      return `${guidance.form}, ${guidance.module}: ${numberText(guidance.steps)} steps of ${guidance.batchSize} images`;
    case "samples":
      return `${numberText(samples.perPrompt)} images per prompt and model, ${samples.steps} steps`;
    case "classifiers":
      return `${numberText(evaluation.classifierSteps)} steps; for the evaluation only`;
    case "evaluation":
      return evaluation.hiddenColumn === undefined
        ? "no attribute column named: bias is not measured"
        : `bias of "${evaluation.hiddenColumn}", ${numberText(evaluation.bootstrap)} bootstrap draws`;
    case "report":
      return "report.html";
    default:
      return "";
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
  // Seconds per image, measured on two cores: one forward 0.75 ms, forward and backward 2.6 ms, with adapters 2.8 ms.
  const forwards = groups.contrast === "none" ? 1 : 2;
  const work =
    (data.train + data.validation) * 0.003 +
    base.steps * base.batchSize * 0.0026 +
    data.train * groups.timesteps.length * groups.noises * forwards * 0.00075 +
    guidance.steps * guidance.batchSize * 0.0028 +
    (samples.prompts?.length ?? 2) * samples.perPrompt * 2 * samples.steps * 2 * 0.00075 +
    20;
  const threads = resolveThreads(config) ?? 2;
  return Math.max(30, Math.round((work * 2) / Math.min(threads, 8) / 30) * 30);
}
