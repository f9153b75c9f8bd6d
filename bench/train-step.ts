// Times of the quickstart's work on its U-Net (assets/birds/unet/config.json), batch 64, text states [64, 16, 64]: the
// library's own training steps and a sampling step. Twin: tools/bench/train_step.py. Compare with `npm run bench`.
import { readFileSync } from "node:fs";

import {
  diffusionLoss,
  GuidedDenoiser,
  groupsObjective,
  meanObjective,
  type Objective,
  type Trainer,
  trainStep,
} from "../src/method/index.ts";
import { planBatch, stepGenerator, type TrainingSet } from "../src/data/index.ts";
import { UNet2DConditionModel, type UNetConfig } from "../src/models/index.ts";
import { AdamW, Ema, Lora } from "../src/nn/index.ts";
import { loadScheduler } from "../src/schedulers/index.ts";
import {
  cat,
  full,
  Generator,
  inferenceMode,
  keep,
  randn,
  scope,
  type Tensor,
  tensor,
} from "../src/torch/index.ts";
import { calls, median, now, prepare, printResult, timeCalls } from "./measure.ts";

const BATCH = 64;
const IMAGES = 512;
const folder = new URL("../assets/birds/", import.meta.url);

prepare();
const config = JSON.parse(readFileSync(new URL("unet/config.json", folder), "utf8")) as UNetConfig;
const scheduler = loadScheduler(new URL("scheduler", folder).pathname);
const generator = new Generator().manualSeed(0);
const moments = randn([IMAGES, 8, 8, 8], { generator });
const captionStates = randn([3, 16, 64], { generator });
const index = (values: Int32Array): Tensor => tensor(values, { dtype: "int64" });
const set: TrainingSet = {
  ids: Array.from({ length: IMAGES }, (_, i) => String(i)),
  captions: ["a", "b", ""],
  captionsOf: Array.from({ length: IMAGES }, (_, i) => [i % 2]),
  ...{ latentShape: [4, 8, 8], scalingFactor: 1, device: "cpu" },
  load: ({ rows, captions }) =>
    Promise.resolve(
      scope(() => ({
        moments: keep(moments.indexSelect(0, index(rows))),
        encoderHiddenStates: keep(captionStates.indexSelect(0, index(captions))),
      })),
    ),
  [Symbol.dispose]: () => {},
};
const indices = Int32Array.from({ length: BATCH }, (_, i) => (i * 7) % IMAGES);

function trainerFor(
  denoiser: Trainer["denoiser"],
  weights: ReadonlyMap<string, Tensor>,
  objective: Objective,
): Trainer & { ema: Ema } {
  return {
    ...{ denoiser, scheduler, objective },
    parameters: [...weights.values()],
    optimizer: new AdamW(weights),
    ema: new Ema(weights, { decay: 0.995 }),
    learningRate: () => 1e-4,
    maxGradNorm: 1,
    seed: 0,
    draw: { trainTimesteps: scheduler.numTrainTimesteps, captionDropout: 0.1 },
  };
}

const values: Record<string, number> = {};
const measure = (name: string, fn: () => void): void => {
  values[name] = median(timeCalls(fn, { warmup: 3, calls }));
};
const measureAsync = async (name: string, fn: () => Promise<unknown>): Promise<void> => {
  const times: number[] = [];
  for (let i = 0; i < calls + 3; i++) {
    const start = now();
    await fn();
    times.push(now() - start);
  }
  values[name] = median(times.slice(3));
};

// 1. A training step: noise, forward, loss, backward, clip, AdamW, EMA; and its parts.
const unet = UNet2DConditionModel.seeded(config, 0).train();
const trainer = trainerFor(unet, unet.stateDict(), meanObjective);
let step = 0;
await measureAsync("training step", () => trainStep(trainer, set, indices, step++));
const plan = () => planBatch(set, indices, stepGenerator(0, step), trainer.draw);
const encoded = await set.load(plan().request);
const loss = (): Tensor => diffusionLoss(trainer.denoiser, scheduler, plan().diffuse(encoded, 1)).mean();
measure("  forward, loss", () => scope(() => loss().item()));
measure("  forward, loss, backward", () => {
  scope(() => loss().backward());
  trainer.optimizer.zeroGrad();
});
scope(() => loss().backward());
measure("  AdamW, EMA", () => {
  trainer.optimizer.step();
  trainer.ema.step();
});
trainer.optimizer.zeroGrad();

// 2. A sampling step with classifier-free guidance: 128 rows through the U-Net, then DDIM.
scheduler.setTimesteps(25);
const latents = randn([BATCH, 4, 8, 8], { generator });
const states = randn([2 * BATCH, 16, 64], { generator });
measure("sampling step", () =>
  inferenceMode(() =>
    scope(() => {
      const timestep = scheduler.timesteps[10]!;
      const timesteps = full([2 * BATCH], timestep, { dtype: "int64" });
      const prediction = unet.forward(cat([latents, latents], 0), timesteps, states);
      const [unconditional, conditional] = prediction.chunk(2, 0) as [Tensor, Tensor];
      const guided = unconditional.add(conditional.sub(unconditional).mul(1.5));
      return scheduler.step(guided, timestep, latents).select(0, 0).sum().item();
    }),
  ),
);

// 3. The guidance step: LoRA of rank 16 in every layer, `difference` form at strength 1, group objective.
unet.requiresGrad_(false);
const lora = new Lora(unet, { rank: 16 });
const guided = new GuidedDenoiser(unet, { kind: "lora", lora }, { form: "difference", strength: 1 });
const groups = {
  weights: Float32Array.from({ length: 2 * IMAGES }, (_, i) => ((i >> 1) % 2 === i % 2 ? 0.9 : 0.1)),
  count: 2,
  lambda: 1,
};
const guidance = trainerFor(guided, lora.stateDict(), groupsObjective(groups));
await measureAsync("guidance step (LoRA)", () => trainStep(guidance, set, indices, step++));
printResult("ms", values);
