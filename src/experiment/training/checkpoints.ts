// A training run on disk: everything that the next step depends on, saved and restored to the bit.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { latestRunState, openRunState, removeRunStates, saveRunState } from "../../checkpoint/index.ts";
import type { BatchState } from "../../data/index.ts";
import type { Trainer } from "../../method/index.ts";
import type { LossScaler } from "../../nn/index.ts";
import { noGrad, scope, type Tensor, tensor, UserError } from "../../torch/index.ts";
import { changedLeaves } from "../stage-plan.ts";
import type { StageContext } from "../stage.ts";
import { packageVersion } from "../versions.ts";
import { decisiveOptions } from "./settings.ts";
import type { TrainingJob } from "./job.ts";

/** Where a stage keeps its checkpoints while it is unfinished. */
export const checkpointFolder = (dir: string): string => join(dir, "checkpoints");

interface SavedState extends Record<string, unknown> {
  /** Fingerprint of the stage's inputs. */
  readonly key: string;
  readonly settings: Record<string, unknown>;
  /** Every draw comes from a generator of (seed, step): these two are the whole state of the random numbers. */
  readonly random: { readonly seed: number; readonly step: number };
  readonly batches: BatchState;
  readonly emaStep: number;
  readonly scaler?: ReturnType<LossScaler["state"]> | undefined;
  readonly versions: Record<string, string>;
}

/** Saves the state before step `step` (counted from 0) and gives the checkpoint's folder. */
export function saveCheckpoint(
  { dir, key }: Pick<StageContext, "dir" | "key">,
  job: TrainingJob,
  trainer: Trainer,
  { step, losses }: { step: number; losses: readonly number[] },
): string {
  const { optimizer, ema, scaler, seed } = trainer;
  using history = tensor(Float64Array.from(losses));
  const state: SavedState = {
    key,
    settings: settingsOf(job),
    random: { seed, step },
    batches: job.batches.state(),
    emaStep: ema?.optimizationStep ?? 0,
    scaler: scaler?.state(),
    versions: { invdiff: packageVersion(), node: process.versions.node },
  };
  const tensors = {
    weights: job.weights,
    optimizer: optimizer.stateDict(),
    ...(ema && { ema: ema.stateDict() }),
    history: new Map([["losses", history]]),
  };
  return saveRunState(checkpointFolder(dir), { step, tensors, state }, { keep: job.options.keep });
}

const settingsOf = (job: TrainingJob): Record<string, unknown> => ({
  seed: job.seed,
  images: job.set.ids.length,
  ...decisiveOptions(job.options),
});

/**
 * Goes back to the newest valid checkpoint of unfinished work, or to the one that was asked for; undefined when there is none.
 * Errors: UserError when it belongs to other settings, with the difference; CheckpointError when it is damaged.
 */
export function restoreCheckpoint(
  context: Pick<StageContext, "dir" | "key" | "resume" | "note">,
  job: TrainingJob,
  trainer: Trainer,
): { step: number; losses: number[] } | undefined {
  const { dir, key, resume, note } = context;
  const onInvalid = ({ path, reason }: { path: string; reason: string }) =>
    note(`Checkpoint ${path} is damaged and left aside: ${reason}`);
  const folder = checkpointFolder(dir);
  const path = resume ?? (existsSync(folder) ? latestRunState(folder, { onInvalid })?.path : undefined);
  if (path === undefined) return undefined;
  const saved = openRunState(path, { verify: resume !== undefined });
  const state = saved.state as SavedState;
  const changed = changedLeaves(state.settings, JSON.parse(JSON.stringify(settingsOf(job))));
  if (changed.length > 0 || state.key !== key) {
    const lines = changed.length > 0 ? changed : ["its images, model or base are others"];
    throw new UserError(
      `Checkpoint ${path} was made with other settings (old -> new):\n${lines.map((line) => `  ${line}`).join("\n")}\n` +
        `Resume with the settings that it was made with, or train anew (--force).`,
    );
  }
  const copy = (name: string, use: (tensors: Map<string, Tensor>) => void): void => {
    const tensors = saved.tensors(name);
    try {
      use(tensors);
    } finally {
      for (const value of tensors.values()) value.dispose();
    }
  };
  copy("weights", (tensors) =>
    noGrad(() => scope(() => job.weights.forEach((value, name) => value.copy_(tensors.get(name)!)))),
  );
  copy("optimizer", (tensors) => trainer.optimizer.loadStateDict(tensors));
  if (trainer.ema) {
    copy("ema", (tensors) => trainer.ema?.loadStateDict(tensors));
    trainer.ema.optimizationStep = state.emaStep;
  }
  if (state.scaler) trainer.scaler?.restore(state.scaler);
  job.batches.restore(state.batches);
  // Later ones would be found as the newest, with a gap in the metrics before them.
  if (resume !== undefined) removeRunStates(folder, { after: saved.step });
  let losses: number[] = [];
  copy("history", (tensors) => (losses = tensors.get("losses")!.toNumbers()));
  return { step: saved.step, losses };
}
