// A real training, killed outright at random moments and started again, until it ends: what was lost, and is the end the same.
import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { latestRunState, listRunStates, openRunState } from "../../src/checkpoint/index.ts";
import { Random, writeBirds } from "../../src/data/index.ts";
import { type Launch, launch, type Process } from "./process.ts";

export interface KillTestOptions extends Launch {
  /** Everything is written below it. */
  readonly folder: string;
  readonly moments: number;
  readonly seed: number;
  readonly onKill?: (kill: Kill) => void;
}

export interface Kill {
  /** Counted from 1. */
  readonly moment: number;
  /** What the process was doing: loading and restoring, or steps and checkpoints. */
  readonly during: "start-up" | "training";
  /** Milliseconds from the start of that. */
  readonly after: number;
  /** Steps that metrics.jsonl tells of. */
  readonly steps: number;
  /** Step of the newest usable checkpoint. */
  readonly checkpoint: number | undefined;
  /** Everything that should not be; empty when all is well. */
  readonly problems: readonly string[];
}

export interface KillTestResult {
  readonly kills: readonly Kill[];
  /** Runs that came to their end: the last, and those that were faster than the kill. */
  readonly finished: number;
  /** Result files of those that are not, byte for byte, those of the run that nobody disturbed. */
  readonly differing: readonly string[];
  /** How many files were compared. */
  readonly compared: number;
}

const CHECKPOINT_EVERY = 2;
const KEEP = 2;
/** Steps from a process' first one to its kill, on average. */
const STEPS_PER_LIFE = 4;
/** Share of the kills before the first step. */
const START_UP = 0.2;

/** A fine-tuning with everything that a checkpoint must hold: accumulation, averages, caption dropout, flips. */
const settings = (steps: number): string[] =>
  Object.entries({
    threads: 1,
    "data.resolution": 32,
    "data.flip": true,
    "base.steps": steps,
    "base.batchSize": 2,
    "base.accumulation": 2,
    "base.warmup": 2,
    "base.ema": 0.9,
    "base.captionDropout": 0.2,
    "base.checkpointEvery": CHECKPOINT_EVERY,
    "base.keep": KEEP,
  }).flatMap(([key, value]) => ["--set", `${key}=${value}`]);

/** Runs it all. Errors: when a run ends by itself with an error, with its output. */
export async function killTest(options: KillTestOptions): Promise<KillTestResult> {
  const { folder, moments, seed, onKill } = options;
  const data = join(folder, "data");
  await writeBirds(data, { train: 24, validation: 2, size: 32 });
  const steps = moments * 2 + CHECKPOINT_EVERY;
  const [whole, killed] = [join(folder, "whole"), join(folder, "killed")];
  const start = (out: string): Process =>
    launch(options, ["finetune", "--out", out, "--data", join(data, "train"), ...settings(steps)]);
  await start(whole).finish();
  // The stages before the training need not be made again.
  cpSync(whole, killed, { recursive: true, filter: (path) => path !== join(whole, "base") });
  const secondsPerStep = meanSeconds(join(whole, "base", "timing.jsonl"));
  const random = new Random(seed);
  const kills: Kill[] = [];
  let [finished, compared] = [0, 0];
  const differing: string[] = [];
  const compare = (): void => {
    finished++;
    const names = resultFiles(join(whole, "base"));
    compared += names.length;
    differing.push(
      ...names.filter((name) => !sameFile(join(whole, "base", name), join(killed, "base", name))),
    );
    rmSync(join(killed, "base"), { recursive: true });
  };
  let startUp = 1000;
  while (kills.length < moments) {
    const before = newest(killed);
    const process = start(killed);
    const during = random.uniform() < START_UP ? "start-up" : "training";
    const span = during === "start-up" ? startUp : 2 * STEPS_PER_LIFE * secondsPerStep * 1000;
    const after = random.uniform() * span;
    if (during === "training") startUp = (await process.until(/base: training/)) ?? startUp;
    const end = await process.killAfter(after);
    const resumed = resumeProblems(process.stderr, before?.step);
    if (end === "finished") compare();
    else kills.push({ moment: kills.length + 1, during, after, ...inspect(killed, resumed) });
    if (end === "killed") onKill?.(kills.at(-1)!);
  }
  const before = newest(killed);
  const last = start(killed);
  await last.finish();
  const problems = resumeProblems(last.stderr, before?.step);
  if (problems.length > 0) differing.push(`the last run: ${problems.join(", ")}`);
  compare();
  return { kills, finished, differing, compared };
}

const checkpoints = (out: string): string => join(out, "base.partial", "checkpoints");
const newest = (out: string) => latestRunState(checkpoints(out));

/** What a killed process left behind. */
function inspect(out: string, resumed: readonly string[]): Pick<Kill, "steps" | "checkpoint" | "problems"> {
  const problems = [...resumed];
  const place = latestRunState(checkpoints(out), { onInvalid: ({ reason }) => problems.push(reason) });
  const steps = stepsIn(join(out, "base.partial", "metrics.jsonl"));
  const lost = steps - (place?.step ?? 0);
  if (lost > CHECKPOINT_EVERY) problems.push(`${lost} steps are lost, expected at most ${CHECKPOINT_EVERY}`);
  // A checkpoint never knows of steps that the metrics do not hold.
  if (lost < 0)
    problems.push(`metrics.jsonl ends at step ${steps}, before the checkpoint of step ${place?.step}`);
  if (listRunStates(checkpoints(out)).length > KEEP + 1) problems.push("old checkpoints are not removed");
  if (place) problems.push(...unreadable(place.path));
  return { steps, checkpoint: place?.step, problems };
}

/** Reads everything in a checkpoint. */
function unreadable(path: string): string[] {
  try {
    const { groups, tensors } = openRunState(path);
    for (const group of groups) for (const value of tensors(group).values()) value.dispose();
    return groups.includes("weights") && groups.includes("optimizer")
      ? []
      : [`${path} holds only ${groups.join(", ")}`];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

/** A process that came to train must have said that it goes on after the newest checkpoint. */
function resumeProblems(stderr: string, expected: number | undefined): string[] {
  if (!/base: training/.test(stderr)) return [];
  const said = /Resuming after step (\d+)/.exec(stderr)?.[1];
  const found = said === undefined ? undefined : Number(said);
  if (found === expected) return [];
  return [`resumed after ${found ?? "nothing"}, expected ${expected ?? "nothing"}`];
}

function stepsIn(metrics: string): number {
  const lines = existsSync(metrics) ? readFileSync(metrics, "utf8").split("\n").slice(0, -1) : [];
  return lines.length === 0 ? 0 : (JSON.parse(lines.at(-1)!) as { step: number }).step;
}

function meanSeconds(timing: string): number {
  const lines = readFileSync(timing, "utf8").trimEnd().split("\n");
  const seconds = lines.map((line) => (JSON.parse(line) as { seconds: number }).seconds);
  return seconds.reduce((sum, value) => sum + value, 0) / seconds.length;
}

/** The results of the stage: weights, losses, metrics; not times. */
const resultFiles = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.safetensors$|losses\.json$|metrics\.jsonl$/.test(name))
    .sort();

const sameFile = (a: string, b: string): boolean => existsSync(b) && readFileSync(a).equals(readFileSync(b));
