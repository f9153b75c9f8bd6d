// A training of either stage by the program's own loop: reading ahead, noise, forward, loss, backward, clip, AdamW, what is
// read back of each step. Twin: tools/bench/gpu/training.py.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { shuffledBatches, type TrainingSet } from "../../src/data/index.ts";
import { parseConfig } from "../../src/experiment/config.ts";
import { makeGuidance, networkGuidance } from "../../src/experiment/stages/guidance-model.ts";
import type { StageContext } from "../../src/experiment/stage.ts";
import type { TrainingJob } from "../../src/experiment/training/job.ts";
import { trainingLoop } from "../../src/experiment/training/loop.ts";
import type { Tracker } from "../../src/experiment/trackers/index.ts";
import { groupsObjective, meanObjective } from "../../src/method/index.ts";
import { makeScheduler } from "../../src/schedulers/index.ts";
import { noGrad, scope } from "../../src/torch/index.ts";
import type { TrainingCase, Way } from "./cases.ts";
import { memoryOf } from "./clock.ts";
import { newUnet } from "./networks.ts";
import type { Measured } from "./protocol.ts";
import { randomSet } from "./random-set.ts";

export const NOISE_SCHEDULE = {
  ...{ beta_schedule: "scaled_linear", beta_start: 0.00085, beta_end: 0.012 },
} as const;

/** Steps in which a graph is made, before those that are timed. */
const STEPS_TO_CAPTURE = 4;

/** `cache` is where the images' files lie; they stay. */
export async function measureTraining(
  one: TrainingCase,
  way: Way,
  { device, cache }: { device: string; cache: string },
): Promise<Measured[]> {
  const { blocks, steps, batch } = one;
  const warmup = one.warmup + (way === "graph" ? STEPS_TO_CAPTURE : 0);
  // One more: the last step's end holds what a run does when it is over.
  const total = warmup + blocks * steps + 1;
  using set = await randomSet(cache, { ...one, device });
  using model = trainedModel(one, device);
  const job = jobOf(one, set, model, total);
  const dir = mkdtempSync(join(tmpdir(), "invdiff-bench-"));
  const idle: number[] = [];
  const ends: number[] = [];
  try {
    const losses = await trainingLoop(contextOf(dir, { device, way, ends }), job, {
      openTracker: () => Promise.resolve(listener(idle)),
    });
    if (losses.length !== total || !losses.every(Number.isFinite))
      throw new Error(`the losses of ${total} steps of batch ${batch} are ${losses.join(", ")}`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  const at = (block: number): number => ends[warmup - 1 + block * steps]!;
  const milliseconds = Array.from({ length: blocks }, (_, i) => (at(i + 1) - at(i)) / steps);
  const idleShare = idle.at(-1);
  return [
    {
      variant: way,
      row: "",
      milliseconds,
      ...memoryOf(device),
      ...(idleShare !== undefined && { idleShare }),
    },
  ];
}

type Model = Pick<TrainingJob, "denoiser" | "weights" | "frozen"> & Disposable;

/** The U-Net itself, or a frozen one with its guidance. */
function trainedModel(one: TrainingCase, device: string): Model {
  const base = newUnet(one.unet, { device });
  const { guidance } = one;
  if (!guidance) {
    base.requiresGrad_(true).train();
    return {
      ...{ denoiser: base, weights: base.stateDict(), frozen: new Map() },
      [Symbol.dispose]: () => base[Symbol.dispose](),
    };
  }
  base.requiresGrad_(false);
  const { form, module, ratio, rank } = guidance;
  const settings = { form, module, ratio, rank, targets: undefined, strength: 1 };
  const model = guidance.unet
    ? networkGuidance(base, newUnet(guidance.unet, { device }).requiresGrad_(true), settings)
    : makeGuidance(base, settings, 0);
  if (form === "blend")
    noGrad(() =>
      ["weight", "bias"].forEach((part) => scope(() => model.weights.get(`conv_out.${part}`)!.zero_())),
    );
  return {
    ...{ denoiser: model.denoiser, weights: model.weights, frozen: base.stateDict() },
    [Symbol.dispose]() {
      model[Symbol.dispose]();
      base[Symbol.dispose]();
    },
  };
}

function jobOf(one: TrainingCase, set: TrainingSet, model: Model, steps: number): TrainingJob {
  const { batch, images, precision } = one;
  const { base: options } = parseConfig({
    base: {
      ...{ steps, batchSize: batch, precision, learningRate: 1e-5, schedule: "constant", warmup: 0 },
      ...{ ema: 0, captionDropout: 0, checkpointEvery: steps + 1 },
    },
  });
  const weights = Float32Array.from({ length: 2 * images }, (_, i) => ((i >> 1) % 2 === i % 2 ? 0.9 : 0.1));
  return {
    ...{ options, set, scheduler: makeScheduler("ddpm", NOISE_SCHEDULE), seed: 0, draw: {} },
    ...{ denoiser: model.denoiser, weights: model.weights, frozen: model.frozen },
    objective: one.guidance ? groupsObjective({ weights, count: 2, lambda: 1 }) : meanObjective,
    batches: shuffledBatches(images, batch, 0),
  };
}

/** A stage's context in a folder of its own; `ends` gets the time at which the end of each step was known. */
function contextOf(
  dir: string,
  { device, way, ends }: { device: string; way: Way; ends: number[] },
): StageContext {
  const config = parseConfig({ accelerator: { graphs: way === "graph" ? "on" : "off" } });
  return {
    // Not by the parser, which knows the devices that people have.
    config: { ...config, device },
    ...{ dir, out: dir, key: "bench", signal: new AbortController().signal },
    input: (stage) => join(dir, stage),
    progress: ({ done }) => void (ends[done - 1] = performance.now()),
    note: () => undefined,
  };
}

/** Keeps the idle shares that the loop tells. */
function listener(idle: number[]): Tracker {
  const nothing = (): void => undefined;
  return {
    ...{ scalars: nothing, histogram: nothing, images: nothing, text: nothing },
    timing: (_, { idleShare }) => void (idleShare !== undefined && idle.push(idleShare)),
    ...{ flush: () => Promise.resolve(), close: () => Promise.resolve() },
  };
}
