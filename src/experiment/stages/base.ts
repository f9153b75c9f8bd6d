// Stage "base" (paper stage 1): fine-tunes the denoiser on the data as it is. It becomes the biased model.
import { join } from "node:path";

import { shuffledBatches } from "../../data/index.ts";
import { fineTuneStep, type Trainer } from "../../method/index.ts";
import { saveUnet } from "../../models/index.ts";
import { AdamW, Ema, lrSchedule } from "../../nn/index.ts";
import { writeFileAtomic } from "../../torch/index.ts";
import { resolveUnet } from "../config.ts";
import type { Stage } from "../stage.ts";
import { initialUnet, loadLatentSet, modelHash, openNoiseSchedule } from "./materials.ts";
import { recentMean, removeCheckpoints, trainingLoop } from "./training-loop.ts";

export const baseStage: Stage = {
  name: "base",
  needs: ["latents"],
  inputs: async (config) => {
    const { checkpointEvery: _, ...base } = config.base;
    return {
      seed: config.seed,
      base,
      unet: resolveUnet(config),
      model: await modelHash(config, ["unet", "scheduler"]),
    };
  },
  async run(context) {
    const { config, dir, input } = context;
    const options = config.base;
    using unet = initialUnet(config);
    const parameters = unet.parameterCount();
    if (options.skip) {
      saveUnet(join(dir, "unet"), unet);
      writeFileAtomic(join(dir, "losses.json"), "[]");
      return { parameters, trained: false };
    }
    using set = loadLatentSet(input("latents"), config.device);
    const scheduler = openNoiseSchedule(config);
    using optimizer = new AdamW(unet.namedParameters(), { weightDecay: options.weightDecay });
    using ema = options.ema > 0 ? new Ema(unet.namedParameters(), { decay: options.ema }) : undefined;
    const trainer: Trainer = {
      denoiser: unet.train(),
      scheduler,
      parameters: unet.parameters(),
      optimizer,
      ema,
      learningRate: lrSchedule(options.schedule, {
        lr: options.learningRate,
        warmupSteps: options.warmup,
        totalSteps: options.steps,
      }),
      maxGradNorm: options.maxGradNorm,
      seed: config.seed,
      draw: { trainTimesteps: scheduler.numTrainTimesteps, captionDropout: options.captionDropout },
    };
    const history = await trainingLoop(context, {
      ...options,
      trainer,
      weights: unet.stateDict(),
      batches: shuffledBatches(set.ids.length, options.batchSize, config.seed),
      step: (indices, step) => fineTuneStep(trainer, set, indices, step),
    });
    saveUnet(join(dir, "unet"), unet.eval());
    writeFileAtomic(join(dir, "losses.json"), JSON.stringify(history));
    removeCheckpoints(dir);
    return { parameters, trained: true, finalLoss: recentMean(history) };
  },
};
