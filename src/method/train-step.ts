// One optimisation step of either training stage. They differ by the denoiser and the objective only.
import { type AdamW, clipGradNorm_, type Ema } from "../nn/index.ts";
import type { Denoiser } from "../pipelines/index.ts";
import type { Scheduler } from "../schedulers/index.ts";
import { InvDiffError, scope, type Tensor, tensor } from "../torch/index.ts";
import { type DrawOptions, drawBatch, type LatentSet, stepGenerator } from "./latent-set.ts";
import { groupObjective } from "./objective.ts";
import { diffusionLoss } from "./per-sample-loss.ts";

/** What a training run holds from step to step. */
export interface Trainer {
  readonly denoiser: Denoiser;
  readonly scheduler: Scheduler;
  /** Tensors that the optimizer changes. */
  readonly parameters: readonly Tensor[];
  readonly optimizer: AdamW;
  readonly ema?: Ema;
  readonly learningRate: (step: number) => number;
  readonly maxGradNorm: number;
  readonly seed: number;
  readonly draw: DrawOptions;
}

export interface StepResult {
  readonly loss: number;
  readonly gradNorm: number;
  /** Guidance only: mean and variance over the groups, and each present group's loss. */
  readonly mean?: number;
  readonly variance?: number;
  readonly groupLosses?: readonly number[];
}

/** Stage 1: the plain diffusion loss, mean of l_i over the batch. */
export const fineTuneStep = (
  trainer: Trainer,
  set: LatentSet,
  indices: Int32Array,
  step: number,
): StepResult => optimise(trainer, { set, indices, step }, (losses) => ({ loss: losses.mean() }));

export interface GroupOptions {
  /** Soft group weights of all images, [N][count] row-major. */
  readonly weights: Float32Array;
  readonly count: number;
  readonly lambda: number;
}

/** Stage 3: mean over groups + lambda * variance over groups of the group losses. */
export const guidanceStep = (
  trainer: Trainer,
  set: LatentSet,
  indices: Int32Array,
  step: number,
  { weights, count, lambda }: GroupOptions,
): StepResult =>
  optimise(trainer, { set, indices, step }, (losses) => {
    const rows = Float32Array.from({ length: indices.length * count }, (_, i) => {
      const row = indices[Math.floor(i / count)]!;
      return weights[row * count + (i % count)]!;
    });
    const { loss, mean, variance, groupLosses } = groupObjective(
      losses,
      tensor(rows, { shape: [indices.length, count], device: losses.device }),
      lambda,
    );
    return {
      loss,
      values: { mean: mean.item(), variance: variance.item(), groupLosses: groupLosses.toNumbers() },
    };
  });

interface Work {
  readonly set: LatentSet;
  readonly indices: Int32Array;
  readonly step: number;
}

function optimise(
  trainer: Trainer,
  { set, indices, step }: Work,
  objective: (losses: Tensor) => { loss: Tensor; values?: Omit<StepResult, "loss" | "gradNorm"> },
): StepResult {
  const { denoiser, scheduler, optimizer, parameters, maxGradNorm, ema } = trainer;
  const result = scope(() => {
    const batch = drawBatch(set, indices, stepGenerator(trainer.seed, step), trainer.draw);
    const { loss, values } = objective(diffusionLoss(denoiser, scheduler, batch));
    loss.backward();
    return { loss: loss.item(), ...values };
  });
  if (!Number.isFinite(result.loss)) {
    optimizer.zeroGrad();
    throw new InvDiffError(
      `The loss became ${result.loss} at step ${step}. Lower the learning rate, or look for broken images among ${[...indices.slice(0, 4)].map((i) => set.ids[i]).join(", ")}...`,
    );
  }
  const gradNorm = clipGradNorm_(parameters, maxGradNorm);
  optimizer.lr = trainer.learningRate(step);
  optimizer.step();
  optimizer.zeroGrad();
  ema?.step();
  return { ...result, gradNorm };
}
