// Stage "guidance" (paper stage 3): trains the guidance module on the frozen base with the group objective.
import { join } from "node:path";

import { weightedBatches } from "../../data/index.ts";
import { balancedSampling, guidanceStep, type Trainer } from "../../method/index.ts";
import { AdamW, Ema, lrSchedule } from "../../nn/index.ts";
import { writeFileAtomic } from "../../torch/index.ts";
import type { Stage } from "../stage.ts";
import { loadGroups } from "./groups.ts";
import { makeGuidance } from "./guidance-model.ts";
import { baseUnet, loadLatentSet, openNoiseSchedule } from "./materials.ts";
import { recentMean, removeCheckpoints, trainingLoop } from "./training-loop.ts";

/** `suffix` is "" or the name of another way to find groups: "-oracle", "-reference". */
export const guidanceStage = (suffix: string): Stage => ({
  name: `guidance${suffix}`,
  needs: ["latents", "base", `groups${suffix}`],
  inputs: ({ seed, guidance: { checkpointEvery: _, ...guidance } }) => ({ seed, guidance }),
  async run(context) {
    const { config, dir, input } = context;
    const options = config.guidance;
    const groups = loadGroups(input(`groups${suffix}`));
    if (!groups.found) {
      // Nothing is under-represented: the right guidance is none, and the guided model is the base.
      writeFileAtomic(join(dir, "losses.json"), "[]");
      return { trained: false };
    }
    using set = loadLatentSet(input("latents"), config.device);
    using base = baseUnet(config, input("base"));
    using model = makeGuidance(base, options, config.seed);
    const scheduler = openNoiseSchedule(config);
    using optimizer = new AdamW(model.weights, { weightDecay: options.weightDecay });
    using ema = options.ema > 0 ? new Ema(model.weights, { decay: options.ema }) : undefined;
    const trainer: Trainer = {
      denoiser: model.denoiser,
      scheduler,
      parameters: [...model.weights.values()],
      optimizer,
      ema,
      learningRate: lrSchedule("cosine", {
        lr: options.learningRate,
        warmupSteps: options.warmup,
        totalSteps: options.steps,
      }),
      maxGradNorm: options.maxGradNorm,
      // Other noise than stage 1 drew for the same images.
      seed: config.seed + 1_000_003,
      draw: {
        trainTimesteps: scheduler.numTrainTimesteps,
        highNoise: { from: options.highNoiseFrom, share: options.highNoiseShare },
      },
    };
    const history = await trainingLoop(context, {
      ...options,
      trainer,
      weights: model.weights,
      batches: weightedBatches(
        balancedSampling(groups.weights, groups.count, set.captionOf),
        options.batchSize,
        config.seed,
      ),
      step: (indices, step) =>
        guidanceStep(trainer, set, indices, step, {
          weights: groups.weights,
          count: groups.count,
          lambda: options.lambda,
        }),
    });
    model.save(dir);
    writeFileAtomic(join(dir, "losses.json"), JSON.stringify(history));
    removeCheckpoints(dir);
    return { trained: true, parameters: model.parameterCount, finalLoss: recentMean(history) };
  },
});
