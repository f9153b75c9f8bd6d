// Runs the stages of an experiment: reuses what is finished, resumes what was interrupted, overwrites nothing unasked.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { InvDiffError, UserError } from "../torch/errors.ts";
import type { StageDevice } from "./accelerator.ts";
import type { ExperimentConfig } from "./config.ts";
import { diskFullError, isDiskFull } from "./disk-full.ts";
import { type Manifest, writeManifest } from "./manifest.ts";
import { checkOut, openOut, writeExperimentYaml } from "./out-folder.ts";
import { lockFolder } from "./run-lock.ts";
import type { Progress, Stage, StageContext } from "./stage.ts";
import {
  partialFolder,
  publishStage,
  readPartial,
  recoverStage,
  startPartial,
  writePartial,
} from "./stage-folder.ts";
import { differences, type PlannedStage, planStages } from "./stage-plan.ts";

export interface StageEvent {
  stage: string;
  /** discarded: unfinished work for other inputs was removed; "started" follows. */
  state: "reused" | "started" | "resumed" | "discarded" | "finished";
  /** Working time: of "reused" and "finished". */
  seconds?: number;
}

export interface RunOptions {
  /** Folder of the experiment. */
  out: string;
  /**
   * Replaces stages that were finished with other inputs (they are removed once the new ones are complete) and drops
   * unfinished work with other inputs.
   */
  force?: boolean;
  /** Runs these stages alone ("groups" also means "groups-oracle"); those that they need must be finished. */
  only?: readonly string[] | undefined;
  signal?: AbortSignal | undefined;
  /** Versions for the manifests. */
  versions?: Record<string, string>;
  onPlan?: (plan: readonly PlannedStage[]) => void;
  onProgress?: (progress: Progress) => void;
  onStage?: (event: StageEvent) => void;
  /** What a stage tells besides its progress. */
  onNote?: (text: string) => void;
  /** Checkpoint that the stage of `only` starts from, instead of its newest. */
  resume?: string | undefined;
  /** What is done with the device around each stage that runs. */
  device?: StageDevice | undefined;
}

export interface RunResult {
  out: string;
  /** Manifests of the stages that ran or were reused, in order. */
  manifests: Record<string, Manifest>;
}

/**
 * Runs `stages` (each after those that it needs) into `out`, one folder each.
 * Errors: UserError when `out` is not ours, in use, holds results of other inputs (without `force`) or the disk is
 * full; the signal's reason when aborted; what a stage throws. Unfinished work stays in NAME.partial.
 */
export async function runStages(
  stages: readonly Stage[],
  config: ExperimentConfig,
  options: RunOptions,
): Promise<RunResult> {
  const { force = false, only, signal = new AbortController().signal, versions = {} } = options;
  const { onPlan, onStage } = options;
  const out = resolve(options.out);
  checkOut(out);
  try {
    // Fingerprints take time: those of the stages that are asked for, and no others.
    const selected = only === undefined ? stages : selectStages(stages, only);
    const planned = async () => {
      const plan = await planStages(selected, config, out);
      if (only !== undefined) requireFinished(plan, only);
      if (!force) refuseChanged(plan);
      return plan;
    };
    // A refusal shall leave no new folder behind.
    if (!existsSync(out)) await planned();
    openOut(out);
    using _lock = lockFolder(out);
    for (const stage of stages) recoverStage(out, stage.name);
    const todo = await planned();
    onPlan?.(todo);
    writeExperimentYaml(out, config);
    const manifests: Record<string, Manifest> = {};
    for (const planned of todo) {
      signal.throwIfAborted();
      const { stage, state, manifest } = planned;
      if (state === "finished" && manifest) {
        manifests[stage.name] = manifest;
        onStage?.({ stage: stage.name, state: "reused", seconds: manifest.seconds });
        continue;
      }
      manifests[stage.name] = await runStage(planned, config, { ...options, out, signal, versions });
    }
    return { out, manifests };
  } catch (error) {
    throw isDiskFull(error) && !(error instanceof UserError)
      ? diskFullError(error, { stage: "set-up", folder: out })
      : error;
  }
}

type StageOptions = RunOptions & { signal: AbortSignal; versions: Record<string, string> };

async function runStage(
  planned: PlannedStage,
  config: ExperimentConfig,
  options: StageOptions,
): Promise<Manifest> {
  const { stage, key, inputs, needs } = planned;
  const { name } = stage;
  const { out, signal, versions, onProgress, onStage } = options;
  const dir = partialFolder(out, name);
  const start = performance.now();
  let partial = readPartial(dir);
  try {
    if (partial?.key === key) {
      onStage?.({ stage: name, state: "resumed" });
    } else {
      if (existsSync(dir)) onStage?.({ stage: name, state: "discarded" });
      partial = { key, startedAt: new Date().toISOString(), seconds: 0, inputs, needs };
      startPartial(out, name, partial);
      onStage?.({ stage: name, state: "started" });
    }
    const { startedAt, seconds: before } = partial;
    const context: StageContext = {
      ...{ config, dir, signal, out, key },
      resume: options.resume,
      note: (text) => options.onNote?.(text),
      input: (need) => {
        if (stage.needs.includes(need)) return join(out, need);
        throw new InvDiffError(`Stage ${name} reads ${need}, but does not name it in its needs.`);
      },
      progress: (progress) => onProgress?.({ stage: name, ...progress }),
    };
    options.device?.begin(stage);
    const result = await stage.run(context);
    const seconds = before + (performance.now() - start) / 1000;
    const peakMemoryBytes = process.resourceUsage().maxRSS * 1024;
    const peakDeviceBytes = options.device?.peakBytes();
    const manifest: Manifest = {
      ...{ stage: name, key, inputs, needs, seed: config.seed, versions, startedAt },
      ...{ seconds, peakMemoryBytes, result },
      ...(peakDeviceBytes !== undefined && { peakDeviceBytes }),
    };
    writeManifest(dir, manifest);
    publishStage(out, name);
    onStage?.({ stage: name, state: "finished", seconds });
    return manifest;
  } catch (error) {
    if (partial)
      rememberTime(dir, { ...partial, seconds: partial.seconds + (performance.now() - start) / 1000 });
    if (isDiskFull(error)) throw diskFullError(error, { stage: name, folder: dir });
    throw error;
  }
}

/** Best effort: the time of this try only matters for the report, the error on its way matters more. */
function rememberTime(dir: string, partial: Parameters<typeof writePartial>[1]): void {
  try {
    if (readPartial(dir)) writePartial(dir, partial);
  } catch {
    // A full disk, for instance; the first partial.json is still there.
  }
}

/** "groups" also means "groups-oracle". */
const isTarget = (name: string, only: readonly string[]): boolean =>
  only.some((kind) => name === kind || name.startsWith(`${kind}-`));

/** The stages named by `only` and, before them, everything that they need. */
function selectStages(stages: readonly Stage[], only: readonly string[]): Stage[] {
  const wanted = new Set(stages.map(({ name }) => name).filter((name) => isTarget(name, only)));
  if (wanted.size === 0) {
    const names = stages.map(({ name }) => name).join(", ");
    throw new UserError(`There is no stage ${only.join(", ")}; expected one of ${names}.`);
  }
  for (const { name, needs } of stages.toReversed())
    if (wanted.has(name)) for (const need of needs) wanted.add(need);
  return stages.filter(({ name }) => wanted.has(name));
}

/** What the stages named by `only` need must be finished. */
function requireFinished(plan: readonly PlannedStage[], only: readonly string[]): void {
  const unfinished = plan.filter(({ stage, state }) => !isTarget(stage.name, only) && state !== "finished");
  refuseChanged(
    unfinished.filter(({ state }) => state === "changed"),
    { isNeeded: true },
  );
  const names = unfinished.map(({ stage }) => stage.name);
  if (names.length === 0) return;
  const target = plan.findLast(({ stage }) => isTarget(stage.name, only))!;
  throw new UnfinishedStagesError(target.stage.name, names);
}

/** A stage was asked for alone, but stages that it needs are not finished. */
export class UnfinishedStagesError extends UserError {
  readonly stage: string;
  /** In the order to run them. */
  readonly unfinished: readonly string[];
  constructor(stage: string, unfinished: readonly string[]) {
    super(
      `Stage ${stage} needs ${unfinished.join(", ")}, not finished in this folder. Run stage ${unfinished[0]} first.`,
    );
    this.stage = stage;
    this.unfinished = unfinished;
  }
}

/** Stages are finished with other inputs than those of this run. */
export class ChangedStagesError extends UserError {
  readonly stages: readonly string[];
  /** True when they are not to be run, only read: force would not replace them. */
  readonly isNeeded: boolean;
  constructor(message: string, { stages, isNeeded }: { stages: readonly string[]; isNeeded: boolean }) {
    super(message);
    this.stages = stages;
    this.isNeeded = isNeeded;
  }
}

/** Unfinished work that someone may want to go on with. */
const isWorkLost = ({ stage, state, earlier }: PlannedStage): boolean =>
  state === "discarded" && earlier !== undefined && !stage.disposable;

function refuseChanged(plan: readonly PlannedStage[], { isNeeded = false } = {}): void {
  // Finished results count more than unfinished work: they are told first.
  const changed = [
    ...plan.filter(({ state }) => state === "changed"),
    ...(isNeeded ? [] : plan.filter(isWorkLost)),
  ];
  const [first] = changed;
  if (!first) return;
  const lines = differences(first);
  const shown = lines.slice(0, 12).map((line) => `  ${line}`);
  if (lines.length > 12) shown.push(`  and ${lines.length - 12} more`);
  const stages = changed.map(({ stage }) => stage.name);
  const also = stages.length > 1 ? `\nThat also concerns: ${stages.slice(1).join(", ")}.` : "";
  const advice = isNeeded
    ? `Choose another output folder (--out), or make stage ${first.stage.name} anew first, with --force.`
    : first.state === "changed"
      ? "Choose another output folder (--out), or replace the old results (--force)."
      : "Go on with the old settings, choose another output folder (--out), or drop the unfinished work (--force).";
  const what = first.state === "changed" ? "is finished here" : "was begun here";
  const message = `Stage ${first.stage.name} ${what} with other inputs (old -> new):\n${shown.join("\n")}${also}\n${advice}`;
  throw new ChangedStagesError(message, { stages, isNeeded });
}
