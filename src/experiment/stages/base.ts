// Stage "base" (paper stage 1): fine-tunes the denoiser on the data as it is. It becomes the biased model.
import { join } from "node:path";

import { shuffledBatches } from "../../data/index.ts";
import { meanObjective } from "../../method/index.ts";
import { saveUnet } from "../../models/index.ts";
import { writeFileAtomic } from "../../torch/index.ts";
import { resolveUnet } from "../config.ts";
import type { Stage } from "../stage.ts";
import { recentMean } from "../training/loop.ts";
import { removeCheckpoints, runTraining } from "../training/run-training.ts";
import { decisiveOptions, imagesPerStep } from "../training/settings.ts";
import { initialUnet, modelHash, openNoiseSchedule } from "./materials.ts";
import { openStageSet, openValidationSet } from "./training-sets.ts";

export const baseStage: Stage = {
  name: "base",
  needs: ["latents"],
  inputs: async (config) => ({
    seed: config.seed,
    base: decisiveOptions(config.base),
    flip: config.data.flip,
    unet: resolveUnet(config),
    predictionType: config.model.predictionType,
    model: await modelHash(config, ["unet", "scheduler"]),
  }),
  async run(context) {
    const { config, dir } = context;
    const options = config.base;
    using unet = initialUnet(config);
    const parameters = unet.parameterCount();
    if (options.skip) {
      saveUnet(join(dir, "unet"), unet);
      writeFileAtomic(join(dir, "losses.json"), "[]");
      return { parameters, trained: false };
    }
    unet.requiresGrad_(true);
    using set = await openStageSet(context);
    using validation = await openValidationSet(context, options);
    const losses = await runTraining(
      context,
      {
        ...{ options, set, validation, denoiser: unet.train(), objective: meanObjective },
        scheduler: openNoiseSchedule(config),
        weights: unet.stateDict(),
        frozen: new Map(),
        batches: shuffledBatches(set.ids.length, imagesPerStep(options), config.seed),
        seed: config.seed,
        draw: { flip: config.data.flip, randomCrop: config.data.crop === "random" },
      },
      { stage: "finetune", unet },
    );
    saveUnet(join(dir, "unet"), unet.eval());
    writeFileAtomic(join(dir, "losses.json"), JSON.stringify(losses));
    removeCheckpoints(dir);
    return { parameters, trained: true, steps: losses.length, finalLoss: recentMean(losses) };
  },
};
