// The quantity that every stage of InvDiff is built on: one diffusion loss per image (paper section 3.1).
import type { DiffusionBatch } from "../data/index.ts";
import type { Denoiser } from "../pipelines/index.ts";
import type { Scheduler } from "../schedulers/index.ts";
import type { Tensor } from "../torch/index.ts";

/** Mean squared error of each sample over channels and pixels: [B, C, H, W] twice -> [B], in float32. */
export const perSampleLoss = (prediction: Tensor, target: Tensor): Tensor =>
  prediction.to("float32").sub(target.to("float32")).square().flatten(1).mean(1);

/** What a training asks of a scheduler. */
export type NoiseProcess = Pick<Scheduler, "addNoise" | "trainingTarget">;

/** Diffusion loss l_i of each image of a batch, [B]: noise it, predict, compare with what should be predicted. */
export function diffusionLoss(denoiser: Denoiser, scheduler: NoiseProcess, batch: DiffusionBatch): Tensor {
  const { latents, noise, inputNoise = noise, timesteps, encoderHiddenStates } = batch;
  const noisyLatents = scheduler.addNoise(latents, inputNoise, timesteps);
  const prediction = denoiser.forward(noisyLatents, timesteps, encoderHiddenStates);
  return perSampleLoss(prediction, scheduler.trainingTarget(latents, noise, timesteps));
}
