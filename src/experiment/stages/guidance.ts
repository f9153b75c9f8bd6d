// Stage "guidance" (paper stage 3): trains the guidance module on the frozen base with the group objective.
import { join } from "node:path";

import { firstCaptions, shuffledBatches, type TrainingSet, weightedBatches } from "../../data/index.ts";
import { balancedSampling, groupsObjective } from "../../method/index.ts";
import { writeFileAtomic } from "../../torch/index.ts";
import type { ExperimentConfig } from "../config.ts";
import type { Stage } from "../stage.ts";
import { recentMean } from "../training/loop.ts";
import { removeCheckpoints, runTraining } from "../training/run-training.ts";
import { decisiveOptions, imagesPerStep } from "../training/settings.ts";
import { readGroupHistograms } from "../groups/index.ts";
import { loadGroups, type StoredGroups } from "./groups.ts";
import { guidanceSettingsOf, makeGuidance } from "./guidance-model.ts";
import { baseUnet, openNoiseSchedule } from "./materials.ts";
import { openStageSet, openValidationSet } from "./training-sets.ts";

/** Other noise than stage 1 drew for the same images. */
const SEED_SHIFT = 1_000_003;

/** `suffix` is "" or the name of another way to find groups: "-oracle", "-reference". */
export const guidanceStage = (suffix: string): Stage => ({
  name: `guidance${suffix}`,
  needs: ["latents", "base", `groups${suffix}`],
  inputs: (config) => ({
    seed: config.seed,
    guidance: { ...decisiveOptions(config.guidance), ...guidanceSettingsOf(config) },
    flip: config.data.flip,
  }),
  async run(context) {
    const { config, dir, input } = context;
    const options = config.guidance;
    using set = await openStageSet(context);
    const groups = loadGroups(input(`groups${suffix}`), set.ids);
    if (!groups.found) {
      // Nothing is under-represented: the right guidance is none, and the guided model is the base.
      writeFileAtomic(join(dir, "losses.json"), "[]");
      return { trained: false };
    }
    using validation = await openValidationSet(context, options);
    using base = baseUnet(config, input("base"));
    const settings = guidanceSettingsOf(config);
    using model = makeGuidance(base, settings, config.seed);
    const { lambda, highNoiseShare: share, from } = options;
    const scheduler = openNoiseSchedule(config);
    const losses = await runTraining(
      context,
      {
        ...{ options, set, validation, scheduler, weights: model.weights },
        // Batches are drawn where there is guidance; elsewhere it is the base.
        denoiser: model.denoiser.everywhere(),
        whole: model.denoiser,
        objective: groupsObjective({ weights: groups.weights, count: groups.count, lambda }),
        frozen: base.stateDict(),
        batches: batchesOf(config, groups, set),
        seed: config.seed + SEED_SHIFT,
        draw: {
          flip: config.data.flip,
          randomCrop: config.data.crop === "random",
          from,
          highNoise: { from: Math.max(from, options.highNoiseFrom), share },
        },
      },
      {
        ...{ stage: `train${suffix}`, unet: model.network, base },
        histograms: () => readGroupHistograms(input(`groups${suffix}`)),
      },
    );
    model.save(dir);
    writeFileAtomic(join(dir, "losses.json"), JSON.stringify(losses));
    removeCheckpoints(dir);
    return {
      trained: true,
      steps: losses.length,
      parameters: model.parameterCount,
      finalLoss: recentMean(losses),
    };
  },
});

/** Batches balanced over the groups, or the images as they come. */
function batchesOf({ guidance, seed }: ExperimentConfig, groups: StoredGroups, set: TrainingSet) {
  const size = imagesPerStep(guidance);
  if (!guidance.balanced) return shuffledBatches(set.ids.length, size, seed);
  return weightedBatches(balancedSampling(groups.weights, groups.count, firstCaptions(set)), size, seed);
}
