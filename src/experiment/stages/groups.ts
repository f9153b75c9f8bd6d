// Stage "groups" (paper stage 2): finds the latent bias groups from losses under the frozen base. It sees latents and
// captions only.
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";

import { readSafetensors, writeSafetensors } from "../../checkpoint/index.ts";
import { inferGroups, measureSignal } from "../../method/index.ts";
import { tensor, writeFileAtomic } from "../../torch/index.ts";
import { type ExperimentConfig, resolveGroups } from "../config.ts";
import type { Stage } from "../stage.ts";
import { baseUnet, loadLatentSet, openNoiseSchedule, readJsonIfThere } from "./materials.ts";

/** What a groups stage leaves in groups.json, whichever way the groups were found. */
export interface GroupsSummary {
  readonly method: string;
  readonly count: number;
  /** False: no under-represented second population. */
  readonly found: boolean;
  /** Sum of the weights of each group, in images. */
  readonly sizes: readonly number[];
  readonly columns?: readonly { timestep: number | "random"; noise: number }[];
  readonly bimodality?: readonly number[];
  readonly columnWeights?: readonly number[];
  readonly mixtures?: readonly object[];
}

export interface StoredGroups extends GroupsSummary {
  /** [N][count] row-major. */
  readonly weights: Float32Array;
  /** Score of each image (high: under-represented); absent for true labels. */
  readonly scores?: Float32Array;
}

const TENSORS = "groups.safetensors";
const SUMMARY = "groups.json";

export function saveGroups(dir: string, groups: StoredGroups, losses?: Float32Array): void {
  const { weights, scores, ...summary } = groups;
  const rows = weights.length / groups.count;
  using weightTensor = tensor(weights, { shape: [rows, groups.count] });
  using scoreTensor = scores && tensor(scores);
  using lossTensor = losses && tensor(losses, { shape: [rows, losses.length / rows] });
  const named = {
    weights: weightTensor,
    ...(scoreTensor && { scores: scoreTensor }),
    ...(lossTensor && { losses: lossTensor }),
  };
  writeSafetensors(join(dir, TENSORS), named, { format: "pt" });
  writeFileAtomic(join(dir, SUMMARY), JSON.stringify(summary, null, 2));
}

export function loadGroups(dir: string): StoredGroups {
  const tensors = readSafetensors(join(dir, TENSORS));
  const read = (name: string) => tensors.get(name)?.toArray() as Float32Array | undefined;
  const [weights, scores] = [read("weights")!, read("scores")];
  for (const value of tensors.values()) value.dispose();
  return { ...readJsonIfThere<GroupsSummary>(join(dir, SUMMARY))!, weights, scores };
}

export const groupSizes = (weights: Float32Array, count: number): number[] => {
  const sizes = new Array<number>(count).fill(0);
  weights.forEach((weight, i) => (sizes[i % count]! += weight));
  return sizes;
};

/** `name` is "groups", or "groups-reference" for the reference's own signal and solver. */
export const groupsStage = (name: string, config: ExperimentConfig): Stage => ({
  name,
  needs: ["latents", "base"],
  inputs: () => {
    const { timesteps, noises, count, contrast } = config.groups;
    const chosen = resolveGroups(config)!;
    return {
      seed: config.seed,
      ...chosen,
      count,
      ...(chosen.signal === "profile" ? { timesteps, noises, contrast } : {}),
    };
  },
  async run({ config, dir, input, signal, progress }) {
    const { signal: signalName, solver } = resolveGroups(config)!;
    const { timesteps, noises, batchSize, count, contrast } = config.groups;
    using set = loadLatentSet(input("latents"), config.device);
    using unet = baseUnet(config, input("base"));
    const measured = await measureSignal(
      signalName,
      { denoiser: unet, scheduler: openNoiseSchedule(config) },
      set,
      {
        seed: config.seed,
        timesteps,
        noises,
        contrast,
        batchSize,
        onBatch: async (done, total) => {
          progress({ task: "measuring losses", done, total });
          await nextTurn();
          signal.throwIfAborted();
        },
      },
    );
    const groups = inferGroups(measured, set.captionOf, { solver, count, seed: config.seed });
    const sizes = groupSizes(groups.weights, groups.count);
    const summary = {
      method: `${signalName} signal, ${solver} solver`,
      count: groups.count,
      found: groups.found,
      sizes,
      columns: measured.columns,
      bimodality: groups.score.bimodality,
      columnWeights: groups.score.weights,
      mixtures: groups.mixtures,
    };
    const scores = Float32Array.from(groups.score.scores);
    saveGroups(dir, { ...summary, weights: groups.weights, scores }, measured.losses);
    return { method: summary.method, found: groups.found, sizes };
  },
});
