// A small measurement of losses, the same in every process: 22 images in files of 4, batches of 2.
import type { measureLosses } from "../src/experiment/groups/index.ts";
import { makeScheduler } from "../src/schedulers/index.ts";
import { memorySet } from "./memory-set.ts";

type Arguments = Parameters<typeof measureLosses>;

export interface LossesJob {
  readonly parts: Arguments[1];
  readonly set: ReturnType<typeof memorySet>;
  readonly options: Arguments[3];
  /** Rows that the denoiser was asked about. */
  readonly rowsMeasured: () => number;
}

/** The denoiser predicts the noisy latents times the mean of the text states. */
export function lossesJob(changes: Partial<Arguments[3]> = {}): LossesJob {
  let rows = 0;
  const scheduler = makeScheduler("ddpm", { beta_schedule: "linear", beta_start: 1e-4, beta_end: 0.02 });
  return {
    set: memorySet({ images: 22, latentShape: [2, 4, 4], stateShape: [2, 3] }),
    parts: {
      scheduler,
      denoiser: {
        forward(sample, _, states) {
          rows += sample.shape[0]!;
          return sample.mul(states.mean([1, 2]).view([-1, 1, 1, 1]));
        },
      },
    },
    options: {
      ...{ signal: "profile", seed: 3, timesteps: [200, 800], noises: 1, contrast: "both", key: "base" },
      ...{ batchSize: 2, shardSize: 4 },
      ...changes,
    },
    rowsMeasured: () => rows,
  };
}
