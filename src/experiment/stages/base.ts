// Stage "base" (paper stage 1): fine-tunes the denoiser on the data as it is. It becomes the biased model.
import { join } from "node:path";

import { type Batches, shuffledBatches, type TrainingSet } from "../../data/index.ts";
import { meanObjective } from "../../method/index.ts";
import { saveUnet } from "../../models/index.ts";
import { writeFileAtomic } from "../../torch/index.ts";
import { type ExperimentConfig, resolveUnet } from "../config.ts";
import type { Stage, StageContext } from "../stage.ts";
import { recentMean } from "../training/loop.ts";
import { removeCheckpoints, runTraining } from "../training/run-training.ts";
import { decisiveOptions, imagesPerStep } from "../training/settings.ts";
import { initialUnet, modelHash, openNoiseSchedule } from "./materials.ts";
import { openStageSet, openValidationSet } from "./training-sets.ts";

/** What a fine-tuning's result depends on, besides its batches. */
export const fineTuneInputs = async (config: ExperimentConfig) => ({
  seed: config.seed,
  base: decisiveOptions(config.base),
  flip: config.data.flip,
  unet: resolveUnet(config),
  predictionType: config.model.predictionType,
  model: await modelHash(config, ["unet", "scheduler"]),
});

export const baseStage: Stage = {
  name: "base",
  needs: ["latents"],
  inputs: fineTuneInputs,
  run: (context) => {
    const { config, dir } = context;
    if (config.base.skip) {
      using unet = initialUnet(config);
      saveUnet(join(dir, "unet"), unet);
      writeFileAtomic(join(dir, "losses.json"), "[]");
      return Promise.resolve({ parameters: unet.parameterCount(), trained: false });
    }
    return fineTune(context, "finetune", ({ ids }, size) => shuffledBatches(ids.length, size, config.seed));
  },
};

/** Fine-tunes the U-Net that stage 1 starts from, with the options of the base; `batchesOf` says which images come when. */
export async function fineTune(
  context: StageContext,
  name: string,
  batchesOf: (set: TrainingSet, size: number) => Batches,
): Promise<Record<string, unknown>> {
  const { config, dir } = context;
  const options = config.base;
  using unet = initialUnet(config);
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
      batches: batchesOf(set, imagesPerStep(options)),
      seed: config.seed,
      draw: { flip: config.data.flip, randomCrop: config.data.crop === "random" },
    },
    { stage: name, unet },
  );
  saveUnet(join(dir, "unet"), unet.eval());
  writeFileAtomic(join(dir, "losses.json"), JSON.stringify(losses));
  removeCheckpoints(dir);
  const parameters = unet.parameterCount();
  return { parameters, trained: true, steps: losses.length, finalLoss: recentMean(losses) };
}
