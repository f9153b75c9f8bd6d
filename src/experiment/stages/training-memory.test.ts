// Training holds no more after step 50 than after step 2, in either stage.
import { describe, expect, it } from "vitest";
import { settledTensorCount } from "../../../test/settled.ts";
import {
  GuidedDenoiser,
  fineTuneStep,
  guidanceStep,
  type LatentSet,
  type Trainer,
} from "../../method/index.ts";
import { UNet2DConditionModel } from "../../models/index.ts";
import { AdamW, Ema, Lora, ParamStore } from "../../nn/index.ts";
import { Generator, keep, randn, scope, type Tensor, tensorBytes, tensorCount } from "../../torch/index.ts";
import { defaultConfig } from "../config.ts";
import { openNoiseSchedule } from "./materials.ts";

const CONFIG = {
  sample_size: 4,
  down_block_types: ["CrossAttnDownBlock2D", "DownBlock2D"],
  up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D"],
  block_out_channels: [8, 16],
  layers_per_block: 1,
  norm_num_groups: 4,
  cross_attention_dim: 8,
  attention_head_dim: 2,
} as const;
const generator = new Generator().manualSeed(0);
const random = (shape: number[]) => keep(scope(() => randn(shape, { generator })));
const set: LatentSet = {
  ids: Array.from({ length: 8 }, (_, i) => `${i}.png`),
  captions: ["a", ""],
  captionOf: new Int32Array(8),
  latents: random([8, 4, 4, 4]),
  states: random([2, 3, 8]),
};
const batch = Int32Array.from([0, 3, 5, 6]);
const scheduler = openNoiseSchedule(defaultConfig());

/** Tensors and bytes held after step 2 and after step 50, and the losses. */
function held(step: (step: number) => number) {
  const snapshots: { count: number; bytes: number }[] = [];
  const losses: number[] = [];
  for (let i = 1; i <= 50; i++) {
    losses.push(step(i - 1));
    if (i === 2 || i === 50) snapshots.push({ count: tensorCount(), bytes: tensorBytes() });
  }
  return { snapshots, losses };
}

function trainerOf(
  denoiser: Trainer["denoiser"],
  weights: readonly [string, Tensor][],
): Trainer & Disposable {
  const optimizer = new AdamW(weights);
  const ema = new Ema(weights);
  return {
    ...{ denoiser, scheduler, optimizer, ema, seed: 1, maxGradNorm: 1 },
    parameters: weights.map(([, weight]) => weight),
    learningRate: () => 1e-2,
    draw: { trainTimesteps: 1000, captionDropout: 0.5, highNoise: { from: 600, share: 0.5 } },
    [Symbol.dispose]() {
      optimizer[Symbol.dispose]();
      ema[Symbol.dispose]();
    },
  };
}

describe("a training loop", () => {
  it("of stage 1 holds the same tensors and bytes after steps 2 and 50", () => {
    const before = settledTensorCount();
    {
      using unet = new UNet2DConditionModel(ParamStore.seeded({ seed: 0 }), CONFIG);
      using trainer = trainerOf(unet, [...unet.namedParameters()]);
      const { snapshots, losses } = held((step) => fineTuneStep(trainer, set, batch, step).loss);
      expect(snapshots[1]).toEqual(snapshots[0]);
      expect(Math.min(...losses.slice(-10))).toBeLessThan(losses[0]!);
    }
    expect(tensorCount()).toBe(before);
  });

  it.each([1, 0.5])("of stage 3 with adapters at strength %d too", (strength) => {
    const before = settledTensorCount();
    {
      using unet = new UNet2DConditionModel(ParamStore.seeded({ seed: 0 }), CONFIG);
      unet.requiresGrad_(false);
      using lora = new Lora(unet, { rank: 2, generator: new Generator().manualSeed(1) });
      const guided = new GuidedDenoiser(unet, { kind: "lora", lora }, { form: "difference", strength });
      using trainer = trainerOf(guided, [...lora.namedParameters()]);
      const groups = {
        weights: Float32Array.from({ length: 16 }, (_, i) => (i * 7) % 2),
        count: 2,
        lambda: 1,
      };
      const { snapshots, losses } = held((step) => guidanceStep(trainer, set, batch, step, groups).loss);
      expect(snapshots[1]).toEqual(snapshots[0]);
      expect(losses.every(Number.isFinite)).toBe(true);
    }
    expect(tensorCount()).toBe(before);
  });
});
