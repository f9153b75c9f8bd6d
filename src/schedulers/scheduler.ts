// What every noise scheduler can do; pipelines and training import only this interface.
import type { Generator, Tensor } from "../torch/index.ts";

/** What the denoiser is trained to predict. */
export type PredictionType = "epsilon" | "v_prediction" | "sample";

/** Integer training timesteps, one per sample: numbers, or an int64 tensor [B]. */
export type Timesteps = readonly number[] | Tensor;

export interface StepOptions {
  /** Source of the step's noise: one for the whole batch, or one per sample (then an image's noise does not depend on its batch). */
  generator?: Generator | readonly Generator[];
  /** DDIM's eta: 0 is deterministic, 1 is as noisy as DDPM. Ignored by DDPM. */
  eta?: number;
}

/** A discrete noise scheduler: the forward process for training, and one solver for sampling. */
export interface Scheduler {
  /** Sampling timesteps, highest noise first; set by `setTimesteps`. */
  readonly timesteps: readonly number[];
  /** Standard deviation that the initial noise must have. */
  readonly initNoiseSigma: number;
  readonly predictionType: PredictionType;
  readonly numTrainTimesteps: number;
  /** Product of the alphas up to each training timestep, length `numTrainTimesteps`. */
  readonly alphasCumprod: readonly number[];

  /** Chooses `steps` sampling timesteps. Throws ConfigError when that is not possible. */
  setTimesteps(steps: number): void;
  /** The sample as the denoiser wants it at this timestep, [B, C, H, W]. */
  scaleModelInput(sample: Tensor, timestep: number): Tensor;
  /** One solver step: the sample at the next lower noise level, [B, C, H, W]. */
  step(modelOutput: Tensor, timestep: number, sample: Tensor, options?: StepOptions): Tensor;
  /** Forward process q(z_t | z_0): noisy latents, [B, C, H, W]. */
  addNoise(latents: Tensor, noise: Tensor, timesteps: Timesteps): Tensor;
  /** What the denoiser should predict: noise, velocity or the latents themselves, [B, C, H, W]. */
  trainingTarget(latents: Tensor, noise: Tensor, timesteps: Timesteps): Tensor;
  /** The scheduler's `scheduler_config.json`, with `_class_name`. */
  toJSON(): Record<string, unknown>;
}
