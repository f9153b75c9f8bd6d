// Loss weights of the training timesteps.
import { type Tensor, tensor } from "../torch/index.ts";
import type { Scheduler } from "./scheduler.ts";

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
