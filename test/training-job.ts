// A training small enough to run dozens of times in a test: a U-Net of some ten thousand parameters on random latents.
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { shuffledBatches, weightedBatches } from "../src/data/index.ts";
import { parseConfig } from "../src/experiment/config.ts";
import type { StageContext } from "../src/experiment/stage.ts";
import { makeGuidance } from "../src/experiment/stages/guidance-model.ts";
import type { TrainingJob } from "../src/experiment/training/job.ts";
import { groupsObjective, meanObjective } from "../src/method/index.ts";
import { UNet2DConditionModel } from "../src/models/index.ts";
import type { Device } from "../src/torch/index.ts";
import { loadScheduler } from "../src/schedulers/index.ts";
import { golden } from "./golden-dir.ts";
import { memorySet } from "./memory-set.ts";

export const TINY_UNET = {
  sample_size: 4,
  down_block_types: ["CrossAttnDownBlock2D", "DownBlock2D"],
  up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D"],
  block_out_channels: [8, 16],
  layers_per_block: 1,
  norm_num_groups: 4,
  cross_attention_dim: 8,
  attention_head_dim: 2,
} as const;

export type TrainingChanges = Record<string, unknown>;

/** A fresh job of one of the two stages with everything that can be random switched on, and what holds its tensors; float32 on any device. */
export function trainingJob(
  stage: "base" | "guidance",
  changes: TrainingChanges = {},
  device: Device = "cpu",
): TrainingJob & Disposable {
  const config = parseConfig({
    [stage]: {
      ...{ steps: 12, batchSize: 4, accumulation: 2, learningRate: 1e-2, warmup: 2, ema: 0.9 },
      ...{ captionDropout: 0.3, noiseOffset: 0.1, inputPerturbation: 0.1, snrGamma: 5, checkpointEvery: 100 },
      ...changes,
    },
  });
  const options = config[stage];
  const size = options.batchSize * options.accumulation;
  const set = memorySet({ images: 20, latentShape: [4, 4, 4], stateShape: [3, 8], device });
  const unet = UNet2DConditionModel.seeded(TINY_UNET, 0).to({ device });
  const scheduler = loadScheduler(golden("tiny-sd1/scheduler"), { as: "ddpm" });
  const common = { options, set, scheduler, seed: 7 };
  if (stage === "base")
    return {
      ...common,
      denoiser: unet.requiresGrad_(true).train(),
      objective: meanObjective,
      weights: unet.stateDict(),
      frozen: new Map(),
      batches: shuffledBatches(20, size, 7),
      draw: { flip: true },
      [Symbol.dispose]() {
        set[Symbol.dispose]();
        unet[Symbol.dispose]();
      },
    };
  const guidance = makeGuidance(
    unet,
    { form: "difference", module: "lora", rank: 2, strength: 1, ratio: 0.5 },
    0,
  );
  const weights = Float32Array.from({ length: 40 }, (_, i) =>
    ((i >> 1) % 4 === 0) === (i % 2 === 1) ? 0.9 : 0.1,
  );
  return {
    ...common,
    denoiser: guidance.denoiser,
    objective: groupsObjective({ weights, count: 2, lambda: 1 }),
    weights: guidance.weights,
    frozen: unet.stateDict(),
    batches: weightedBatches(
      Array.from({ length: 20 }, (_, i) => (i % 4 === 0 ? 3 : 1)),
      size,
      7,
    ),
    draw: { highNoise: { from: 600, share: 0.5 } },
    [Symbol.dispose]() {
      guidance[Symbol.dispose]();
      unet[Symbol.dispose]();
      set[Symbol.dispose]();
    },
  };
}

/** A stage's context in a folder of its own; `signal` stops it. */
export function trainingContext(
  changes: Partial<StageContext> = {},
): StageContext & { readonly notes: string[] } {
  const dir = changes.dir ?? join(mkdtempSync(join(tmpdir(), "invdiff-training-")), "base.partial");
  mkdirSync(dir, { recursive: true });
  const notes: string[] = [];
  return {
    config: parseConfig({}),
    ...{ dir, out: join(dir, ".."), key: "key", signal: new AbortController().signal },
    input: (stage) => join(dir, "..", stage),
    progress: () => {},
    note: (text) => notes.push(text),
    notes,
    ...changes,
  };
}
