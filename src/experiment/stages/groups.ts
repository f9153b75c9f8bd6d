// Stage "groups" (paper stage 2): finds the latent bias groups from losses under the frozen base. It sees latents and
// captions only. Losses are kept as they come, so that an interrupted stage goes on where it was.
import { join } from "node:path";

import { inferGroups } from "../../method/index.ts";
import { firstCaptions } from "../../data/index.ts";
import { graphedDenoiser } from "../../pipelines/index.ts";
import { type ExperimentConfig, resolveGroups } from "../config.ts";
import { graphOptions } from "../graphs.ts";
import { LOSSES, measureLosses, saveGroups } from "../groups/index.ts";
import { inMemory } from "../memory-shortage.ts";
import type { Stage } from "../stage.ts";
import { precisionOf } from "../training/settings.ts";
import { inPrecision } from "./in-precision.ts";
import { baseUnet, openNoiseSchedule } from "./materials.ts";
import { openStageSet } from "./training-sets.ts";

export { type GroupsSummary, loadGroups, saveGroups, type StoredGroups } from "../groups/index.ts";

/** `name` is "groups", or "groups-reference" for the reference's own signal and solver. */
export const groupsStage = (name: string, config: ExperimentConfig): Stage => ({
  name,
  needs: ["latents", "base"],
  inputs: () => {
    const { timesteps, noises, count, contrast, batchSize } = config.groups;
    const precision = precisionOf(config.groups, config.device);
    const chosen = resolveGroups(config)!;
    return {
      seed: config.seed,
      ...chosen,
      count,
      // Random draws are made by batch.
      ...(chosen.signal === "profile" ? { timesteps, noises, contrast } : { batchSize }),
      // Float32 is not named: it was the only one when older groups were made.
      ...(precision !== "float32" && { precision }),
    };
  },
  async run(context) {
    const { config, dir, input, key, signal, progress, note } = context;
    const chosen = resolveGroups(config)!;
    const { timesteps, noises, batchSize, count, contrast, shardSize } = config.groups;
    using set = await openStageSet(context);
    using unet = baseUnet(config, input("base"));
    const network = inPrecision(unet, precisionOf(config.groups, config.device), config.device);
    const graphs = graphOptions(config.accelerator, note);
    using graphed =
      graphs === false ? undefined : graphedDenoiser(network, config.device, graphs === true ? {} : graphs);
    const parts = { denoiser: graphed ?? network, scheduler: openNoiseSchedule(config) };
    const advice = { what: "Measuring the losses", option: "groups.batchSize", size: batchSize };
    const measured = await inMemory(advice, () =>
      measureLosses(join(dir, LOSSES), parts, set, {
        ...{
          signal: chosen.signal,
          seed: config.seed,
          timesteps,
          noises,
          contrast,
          batchSize,
          shardSize,
          key,
        },
        abort: signal,
        onProgress: (done, total) => progress({ task: "measuring losses", done, total, unit: "images" }),
      }),
    );
    const { solver } = chosen;
    const groups = inferGroups(measured, firstCaptions(set), { solver, count, seed: config.seed });
    const method = `${chosen.signal} signal, ${solver} solver`;
    const sizes = saveGroups(dir, {
      method,
      count: groups.count,
      found: groups.found,
      columns: measured.columns,
      bimodality: groups.score.bimodality,
      columnWeights: groups.score.weights,
      mixtures: groups.mixtures,
      attributes: groups.attributes.map(({ share }) => ({ share })),
      ids: set.ids,
      weights: groups.weights,
      scores: Float32Array.from(groups.score.scores),
    });
    const { images, seconds } = measured.work;
    // Of this try: what an earlier one measured took no time now.
    const speed = images > 0 ? { imagesPerSecond: Math.round((100 * images) / seconds) / 100 } : {};
    return { method, found: groups.found, sizes, images: set.ids.length, ...speed };
  },
});
