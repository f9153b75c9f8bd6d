// The quantity that every stage of InvDiff is built on: one diffusion loss per image (paper section 3.1).
import type { Denoiser } from "../pipelines/index.ts";
import type { Scheduler } from "../schedulers/index.ts";
import { type Tensor, tensor } from "../torch/index.ts";

/** Mean squared error of each sample over channels and pixels: [B, C, H, W] twice -> [B], in float32. */
export const perSampleLoss = (prediction: Tensor, target: Tensor): Tensor =>
  prediction.to("float32").sub(target.to("float32")).square().flatten(1).mean(1);

/** What a denoiser is asked about: scaled latents and noise [B, C, H, W], int64 timesteps [B], text states [B, L, D]. */
export interface DiffusionBatch {
  readonly latents: Tensor;
  readonly noise: Tensor;
  /** What is mixed into the latents, where it is not exactly `noise`. */
  readonly inputNoise?: Tensor | undefined;
  readonly timesteps: Tensor;
  readonly encoderHiddenStates: Tensor;
}

/** Diffusion loss l_i of each image of a batch, [B]: noise it, predict, compare with what should be predicted. */
export function diffusionLoss(denoiser: Denoiser, scheduler: Scheduler, batch: DiffusionBatch): Tensor {
  const { latents, noise, inputNoise = noise, timesteps, encoderHiddenStates } = batch;
  const noisyLatents = scheduler.addNoise(latents, inputNoise, timesteps);
  const prediction = denoiser.forward(noisyLatents, timesteps, encoderHiddenStates);
  return perSampleLoss(prediction, scheduler.trainingTarget(latents, noise, timesteps));
}

/**
 * Min-SNR weight of every training timestep, [T] (Hang et al. 2023, arXiv 2303.09556, section 3.4): min(SNR, gamma) over
 * SNR for epsilon, over SNR + 1 for v, itself for predicted latents. At zero SNR the weight of epsilon is its limit, 1.
 */
export function minSnrWeights(scheduler: Scheduler, gamma: number): Tensor {
  const weights = scheduler.alphasCumprod.map((product) => {
    const snr = product / (1 - product);
    if (scheduler.predictionType === "epsilon") return Math.min(1, gamma / snr);
    return Math.min(snr, gamma) / (scheduler.predictionType === "v_prediction" ? snr + 1 : 1);
  });
  return tensor(Float32Array.from(weights));
}
