// What every noise scheduler can do; pipelines and training import only this interface.
import type { Device, Generator, Tensor } from "../torch/index.ts";

/** What the denoiser is trained to predict. */
export type PredictionType = "epsilon" | "v_prediction" | "sample";

/** Training timesteps, one per sample: numbers, or a tensor [B] (int64 stays on its device; sampling timesteps may be fractional). */
export type Timesteps = readonly number[] | Tensor;

export interface StepOptions {
  /** Source of the step's noise: one for the whole batch, or one per sample (then an image's noise does not depend on its batch). */
  generator?: Generator | readonly Generator[];
  /** DDIM's eta: 0 is deterministic, 1 is as noisy as DDPM. Ignored by the others. */
  eta?: number;
}

/** The forward process at training timesteps, int64 [B] on a device that holds the noise schedule: nothing waits for it. */
export interface ForwardProcess extends Disposable {
  /** See `Scheduler.addNoise`. */
  addNoise(latents: Tensor, noise: Tensor, timesteps: Tensor): Tensor;
  /** See `Scheduler.trainingTarget`. */
  trainingTarget(latents: Tensor, noise: Tensor, timesteps: Tensor): Tensor;
}

/**
 * A discrete noise scheduler: the forward process for training, and one solver for sampling. Solvers that look back keep
 * tensors from step to step; `reset` (also `[Symbol.dispose]`) frees them, and so do the last step and `setTimesteps`.
 */
export interface Scheduler extends Disposable {
  /** Sampling timesteps, highest noise first; set by `setTimesteps`. Euler's may be fractional, PNDM's repeat. */
  readonly timesteps: readonly number[];
  /** Standard deviation that the initial noise must have, for the timesteps set last. */
  readonly initNoiseSigma: number;
  readonly predictionType: PredictionType;
  readonly numTrainTimesteps: number;
  /** Product of the alphas up to each training timestep, length `numTrainTimesteps`. */
  readonly alphasCumprod: readonly number[];

  /** Chooses timesteps for `steps` steps (PNDM takes more than it is asked for). Throws ConfigError when that is not possible. */
  setTimesteps(steps: number): void;
  /** The sample as the denoiser wants it at this timestep, [B, C, H, W]. */
  scaleModelInput(sample: Tensor, timestep: number): Tensor;
  /** One solver step: the sample at the next lower noise level, [B, C, H, W]. Steps are taken in the order of `timesteps`. */
  step(modelOutput: Tensor, timestep: number, sample: Tensor, options?: StepOptions): Tensor;
  /** Forgets the steps taken, so that the same timesteps can be sampled anew. */
  reset(): void;
  /** Forward process q(z_t | z_0): noisy latents, [B, C, H, W]. Euler's are not scaled for the denoiser: train with DDPM's. */
  addNoise(latents: Tensor, noise: Tensor, timesteps: Timesteps): Tensor;
  /** What the denoiser should predict: noise, velocity or the latents themselves, [B, C, H, W]. */
  trainingTarget(latents: Tensor, noise: Tensor, timesteps: Timesteps): Tensor;
  /** `addNoise` and `trainingTarget`, to the same bits, for many batches on one device; for the timesteps set now. */
  forwardProcess(device: Device): ForwardProcess;
  /** diffusers' name of the class: "PNDMScheduler". */
  readonly className: string;
  /** The scheduler's `scheduler_config.json`, with `_class_name`. */
  toJSON(): Record<string, unknown>;
}
