// The baselines that the guided model is compared with: a prompt that asks for diversity, and training data re-weighted by
// the groups without any guidance (both in the paper's comparison; the prompt's words are the reference's, src/test.py).
import { join } from "node:path";

import { firstCaptions, weightedBatches } from "../../data/index.ts";
import { balancedSampling } from "../../method/index.ts";
import { writeFileAtomic } from "../../torch/index.ts";
import type { Stage } from "../stage.ts";
import { fineTune, fineTuneInputs } from "./base.ts";
import { loadGroups } from "./groups.ts";
import { baseUnet, readJsonIfThere } from "./materials.ts";
import { sampleImages, sampleInputs } from "./samples.ts";
import { openStageSet } from "./training-sets.ts";

/** What is added to every prompt. */
export const DIVERSE_OUTPUTS = ", please generate diverse outputs";

/** The base, asked for diversity. */
export const diverseSamplesStage: Stage = {
  name: "samples-diverse-prompt",
  needs: ["latents", "base"],
  inputs: async (config) => ({ ...(await sampleInputs(config)), added: DIVERSE_OUTPUTS }),
  async run(context) {
    using unet = baseUnet(context.config, context.input("base"));
    return await sampleImages(context, unet.eval(), { added: DIVERSE_OUTPUTS });
  },
};

/** Fine-tunes as stage 1 does, but on batches balanced over the groups; without groups to balance it trains nothing. */
export const reweightedStage = (suffix: string): Stage => ({
  name: `reweighted${suffix}`,
  needs: ["latents", `groups${suffix}`],
  inputs: fineTuneInputs,
  async run(context) {
    const { config, dir, input } = context;
    using set = await openStageSet(context);
    const groups = loadGroups(input(`groups${suffix}`), set.ids);
    if (!groups.found) {
      writeFileAtomic(join(dir, "losses.json"), "[]");
      return { trained: false };
    }
    const weights = balancedSampling(groups.weights, groups.count, firstCaptions(set));
    return await fineTune(context, "reweight", (_, size) => weightedBatches(weights, size, config.seed));
  },
});

/** The re-weighted model; where nothing was trained it is the base. */
export const reweightedSamplesStage = (suffix: string): Stage => ({
  name: `samples-reweighted${suffix}`,
  needs: ["latents", "base", `reweighted${suffix}`],
  inputs: sampleInputs,
  async run(context) {
    const { config, input } = context;
    const own = input(`reweighted${suffix}`);
    const isTrained = readJsonIfThere(join(own, "unet", "config.json")) !== undefined;
    using unet = baseUnet(config, isTrained ? own : input("base"));
    return await sampleImages(context, unet.eval());
  },
});
