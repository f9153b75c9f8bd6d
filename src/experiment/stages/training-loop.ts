// The loop around a training step: batches, progress, checkpoints, interruption. Both training stages use it.
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";

import { readSafetensors, writeSafetensors } from "../../checkpoint/index.ts";
import type { Batches, BatchState } from "../../data/index.ts";
import type { StepResult, Trainer } from "../../method/index.ts";
import { noGrad, scope, type Tensor, writeFileAtomic } from "../../torch/index.ts";
import type { StageContext } from "../stage.ts";
import { readJsonIfThere } from "./materials.ts";

export interface LoopOptions {
  readonly steps: number;
  readonly checkpointEvery: number;
  readonly batches: Batches;
  readonly trainer: Trainer;
  /** The trained tensors by key: saved in checkpoints, read back on resume. */
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly step: (indices: Int32Array, step: number) => StepResult;
}

interface LoopState {
  step: number;
  file: string;
  batches: BatchState;
  emaStep: number;
  history: number[];
}

const STATE = "checkpoint.json";

/** Runs the steps that an earlier try has not done; returns the loss of every step. The trained tensors end as the averaged ones if there is an EMA. */
export async function trainingLoop(context: StageContext, options: LoopOptions): Promise<number[]> {
  const { dir, signal, progress } = context;
  const { steps, checkpointEvery, batches, trainer } = options;
  const resumed = restore(dir, options);
  const history = resumed?.history ?? [];
  for (let step = resumed?.step ?? 0; step < steps; step++) {
    const { value: indices } = batches.next();
    const { loss, gradNorm } = options.step(indices, step);
    history.push(loss);
    progress({
      task: "training",
      done: step + 1,
      total: steps,
      values: { loss: recentMean(history), gradNorm },
    });
    await nextTurn();
    const last = step + 1 === steps;
    if (!last && (signal.aborted || (step + 1) % checkpointEvery === 0))
      save(dir, options, step + 1, history);
    signal.throwIfAborted();
  }
  trainer.ema?.copyToParameters();
  return history;
}

/** Removes what only an interrupted run needs. */
export function removeCheckpoints(dir: string, except?: string): void {
  for (const name of readdirSync(dir))
    if (/^checkpoint-\d+\.safetensors$/.test(name) && name !== except) rmSync(join(dir, name));
  if (except === undefined) rmSync(join(dir, STATE), { force: true });
}

export const recentMean = (history: readonly number[], count = 50): number => {
  const recent = history.slice(-count);
  return recent.reduce((sum, loss) => sum + loss, 0) / Math.max(1, recent.length);
};

const prefixed = (prefix: string, tensors: ReadonlyMap<string, Tensor>): [string, Tensor][] =>
  Array.from(tensors, ([key, value]) => [`${prefix}/${key}`, value]);

function save(
  dir: string,
  { trainer, weights, batches }: LoopOptions,
  step: number,
  history: number[],
): void {
  const file = `checkpoint-${step}.safetensors`;
  const tensors = new Map([
    ...prefixed("weights", weights),
    ...prefixed("optimizer", trainer.optimizer.stateDict()),
    ...prefixed("ema", trainer.ema?.stateDict() ?? new Map<string, Tensor>()),
  ]);
  writeSafetensors(join(dir, file), tensors);
  const emaStep = trainer.ema?.optimizationStep ?? 0;
  const state: LoopState = { step, file, batches: batches.state(), emaStep, history };
  // The state file names the tensors it belongs to, so a crash between the two writes leaves the older pair valid.
  writeFileAtomic(join(dir, STATE), JSON.stringify(state));
  removeCheckpoints(dir, file);
}

function restore(dir: string, { trainer, weights, batches }: LoopOptions): LoopState | undefined {
  const state = readJsonIfThere<LoopState>(join(dir, STATE));
  if (!state) return undefined;
  const tensors = readSafetensors(join(dir, state.file));
  const part = (prefix: string): Map<string, Tensor> => {
    const own = [...tensors].filter(([key]) => key.startsWith(`${prefix}/`));
    return new Map(own.map(([key, value]) => [key.slice(prefix.length + 1), value]));
  };
  scope(() => noGrad(() => part("weights").forEach((value, key) => weights.get(key)!.copy_(value))));
  trainer.optimizer.loadStateDict(part("optimizer"));
  if (trainer.ema) {
    trainer.ema.loadStateDict(part("ema"));
    trainer.ema.optimizationStep = state.emaStep;
  }
  batches.restore(state.batches);
  for (const value of tensors.values()) value.dispose();
  return state;
}
