// One optimisation step of either training stage. They differ by the denoiser and the objective only.
import {
  type DiffusionBatch,
  type DrawOptions,
  type StepBatch,
  stepBatches,
  type TrainingSet,
} from "../data/index.ts";
import {
  type AdamW,
  CheckpointTape,
  clipGradNorm_,
  type Ema,
  type LossScaler,
  NonFiniteLossError,
  withTape,
} from "../nn/index.ts";
import type { Denoiser } from "../pipelines/index.ts";
import { autocast, type DType, scope, type Tensor } from "../torch/index.ts";
import type { Objective, ObjectiveValues } from "./objective.ts";
import { diffusionLoss, type NoiseProcess } from "./per-sample-loss.ts";

/** What a training run holds from step to step. */
export interface Trainer {
  readonly denoiser: Denoiser;
  readonly scheduler: NoiseProcess;
  readonly objective: Objective;
  /** Tensors that the optimizer changes. */
  readonly parameters: readonly Tensor[];
  readonly optimizer: AdamW;
  readonly ema?: Ema | undefined;
  readonly learningRate: (step: number) => number;
  readonly maxGradNorm: number;
  readonly seed: number;
  readonly draw: DrawOptions;
  /** Batches whose gradients are averaged before the weights change; the objective is that of each batch. */
  readonly accumulation?: number;
  /** Factor of each training timestep's loss, [T]: see `minSnrWeights`. */
  readonly lossWeights?: Tensor | undefined;
  /** What the denoiser computes in (automatic mixed precision); weights, loss and optimizer stay in float32. */
  readonly precision?: DType;
  /** For float16. */
  readonly scaler?: LossScaler | undefined;
  /** Recomputes activations in the backward pass instead of keeping them. */
  readonly gradientCheckpointing?: boolean;
}

export interface StepResult extends ObjectiveValues {
  readonly loss: number;
  readonly gradNorm: number;
  readonly learningRate: number;
  /** The step of a float16 run whose gradients overflowed: nothing was changed but the scale. */
  readonly skipped: boolean;
}

/**
 * Measures the batches that `next` gives, and changes the weights once; `ids` are the images of all of them.
 * Throws NonFiniteLossError before anything changes.
 */
export async function trainOn(
  trainer: Trainer,
  next: (part: number) => Promise<StepBatch>,
  { step, ids }: { readonly step: number; readonly ids: () => readonly string[] },
): Promise<StepResult> {
  const { accumulation = 1, optimizer } = trainer;
  const results: BatchResult[] = [];
  try {
    for (let part = 0; part < accumulation; part++) {
      using given = await next(part);
      results.push(accumulate(trainer, given.batch, given.rows));
    }
    const values = averaged(results);
    if (!Number.isFinite(values.loss) && !trainer.scaler) throw new NonFiniteLossError("loss", step, ids());
    return { ...values, ...update(trainer, step, ids) };
  } finally {
    optimizer.zeroGrad();
  }
}

/**
 * Draws, measures, and changes the weights once; `rows` are the images of all accumulated batches.
 * Every random number depends on the trainer's seed and `step` alone. Throws as `trainOn`.
 */
export function trainStep(
  trainer: Trainer,
  set: TrainingSet,
  rows: Int32Array,
  step: number,
): Promise<StepResult> {
  const { accumulation, seed, draw } = trainer;
  const next = stepBatches(set, rows, { seed, step, parts: accumulation, draw });
  return trainOn(trainer, next, { step, ids: () => Array.from(rows, (row) => set.ids[row]!) });
}

export type BatchResult = ObjectiveValues & { readonly loss: number };

/** Adds a batch's share of the gradients; `rows` are its images. */
export function accumulate(trainer: Trainer, batch: DiffusionBatch, rows: Int32Array): BatchResult {
  const { objective, scaler } = trainer;
  return scope(() => {
    const weights = objective.weightsOf?.(rows).to(batch.latents.device);
    const { loss, told } = addGradients(trainer, batch, { weights, lossScale: scaler?.state().scale });
    return { ...(told && objective.read?.(told.toNumbers())), loss: loss.item() };
  });
}

/**
 * The same on the batch's device: `weights` is what the objective knows of its images, and the loss and what the objective
 * tells of it stay there. Nobody waits for the device.
 */
export function addGradients(
  trainer: Trainer,
  batch: DiffusionBatch,
  { weights, lossScale }: { weights?: Tensor | undefined; lossScale?: Tensor | number | undefined },
): { loss: Tensor; told?: Tensor | undefined } {
  const { denoiser, scheduler, objective, lossWeights, accumulation = 1, precision = "float32" } = trainer;
  using tape = trainer.gradientCheckpointing ? new CheckpointTape() : undefined;
  return scope(() => {
    const { device } = batch.latents;
    const mixed: Denoiser = {
      forward: (...args) => autocast({ device, dtype: precision }, () => denoiser.forward(...args)),
    };
    const losses = withTape(tape, () =>
      diffusionLoss(precision === "float32" ? denoiser : mixed, scheduler, batch),
    );
    const weighted = lossWeights ? losses.mul(lossWeights.indexSelect(0, batch.timesteps)) : losses;
    const { loss, told } = objective.of(weighted, weights);
    const share = accumulation > 1 ? loss.div(accumulation) : loss;
    (lossScale === undefined ? share : share.mul(lossScale)).backward();
    tape?.backward();
    return { loss: loss.detach(), told };
  });
}

/**
 * Changes the weights by the gradients that were added up, and takes the averages on; `ids` names the images in an error.
 * Throws NonFiniteLossError before anything changes.
 */
export function update(
  trainer: Trainer,
  step: number,
  ids: () => readonly string[],
): Pick<StepResult, "gradNorm" | "learningRate" | "skipped"> {
  const { optimizer, parameters, ema, scaler, maxGradNorm } = trainer;
  const finite = scaler?.unscale_(parameters) ?? true;
  const gradNorm = finite ? clipGradNorm_(parameters, maxGradNorm) : Infinity;
  if (finite && !Number.isFinite(gradNorm)) throw new NonFiniteLossError("gradient", step, ids());
  scaler?.update(finite);
  if (scaler && scaler.state().scale < 1)
    throw new NonFiniteLossError("gradient, even unscaled,", step, ids());
  optimizer.lr = trainer.learningRate(step);
  if (finite) {
    optimizer.step();
    ema?.step();
  }
  return { gradNorm, learningRate: optimizer.lr, skipped: !finite };
}

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

/** Means over the batches of a step; a group's over those in which it is present. */
export function averaged(results: readonly BatchResult[]): BatchResult {
  const of = (pick: (values: BatchResult) => number | undefined) =>
    mean(results.map(pick).filter((value) => value !== undefined));
  const loss = of((result) => result.loss);
  if (results.length === 1 || results[0]?.groupLosses === undefined) return { ...results[0], loss };
  const groups = [...new Set(results.flatMap((result) => [...(result.groupLosses?.keys() ?? [])]))].sort(
    (a, b) => a - b,
  );
  const groupLosses = new Map(groups.map((g) => [g, of((result) => result.groupLosses?.get(g))]));
  return { loss, mean: of((r) => r.mean), variance: of((r) => r.variance), groupLosses };
}
