// What a training is looked at by: the loss on images that it does not see, and pictures of fixed prompts and seeds.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  type DiffusionBatch,
  encodePng,
  firstCaptions,
  latentsOf,
  stepGenerator,
  type TrainingSet,
} from "../../data/index.ts";
import { diffusionLoss } from "../../method/index.ts";
import type { Denoiser } from "../../pipelines/index.ts";
import { TextToImagePipeline } from "../../pipelines/index.ts";
import type { Scheduler } from "../../schedulers/index.ts";
import { inferenceMode, randn, scope, tensor, writeFileAtomic } from "../../torch/index.ts";
import type { ExperimentConfig } from "../config.ts";
import { openScheduler, openTextEncoder, openTokenizer, openVae } from "../stages/materials.ts";

interface ValidationParts {
  readonly denoiser: Denoiser;
  readonly scheduler: Scheduler;
}

/**
 * Mean diffusion loss over at most `images` images spread over the set: the same images, noises and timesteps (one stratum
 * each) every time, so that values of different steps and runs with one seed can be compared.
 */
export async function validationLoss(
  { denoiser, scheduler }: ValidationParts,
  set: TrainingSet,
  { images, batchSize, seed }: { images: number; batchSize: number; seed: number },
): Promise<number> {
  const count = Math.min(images, set.ids.length);
  const captions = firstCaptions(set);
  let sum = 0;
  for (let first = 0; first < count; first += batchSize) {
    const size = Math.min(batchSize, count - first);
    const index = Array.from({ length: size }, (_, i) => first + i);
    const rows = Int32Array.from(index, (i) => Math.floor((i * set.ids.length) / count));
    // 0.618...: neighbours in the set get timesteps far from each other.
    const timesteps = index.map((i) =>
      Math.floor((((i + 0.5) * 0.6180339887498949) % 1) * scheduler.numTrainTimesteps),
    );
    const encoded = await set.load({ rows, captions: rows.map((row) => captions[row]!) });
    using _moments = encoded.moments;
    using _states = encoded.encoderHiddenStates;
    sum += inferenceMode(() =>
      scope(() => {
        const latents = latentsOf(encoded, set.scalingFactor);
        const generator = stepGenerator(seed, first);
        const batch: DiffusionBatch = {
          latents,
          noise: randn([...latents.shape], { generator }).to(set.device),
          timesteps: tensor(timesteps, { dtype: "int64", device: set.device }),
          encoderHiddenStates: encoded.encoderHiddenStates,
        };
        return diffusionLoss(denoiser, scheduler, batch).sum().item();
      }),
    );
  }
  return sum / count;
}

/** Pictures of the configured prompts, as PNG files by name; also written to `dir`. */
export async function validationImages(
  config: ExperimentConfig,
  denoiser: Denoiser,
  latentShape: readonly [number, number, number],
  dir: string,
): Promise<Map<string, Buffer[]>> {
  const { prompts = [], perPrompt, steps, guidanceScale, scheduler, seed } = config.validation;
  const pictures = new Map<string, Buffer[]>();
  if (prompts.length === 0) return pictures;
  using vae = openVae(config);
  using textEncoder = openTextEncoder(config);
  const pipeline = new TextToImagePipeline({
    ...{ unet: denoiser, vae, textEncoder, tokenizer: openTokenizer(config), latentShape },
    ...{ scheduler: openScheduler(config, scheduler), device: config.device },
  });
  mkdirSync(dir, { recursive: true });
  for (const [p, prompt] of prompts.entries()) {
    const seeds = Array.from({ length: perPrompt }, (_, i) => seed + p * perPrompt + i);
    const { images, latents } = await pipeline.generate({
      ...{ prompts: seeds.map(() => prompt), seeds, steps, guidanceScale, batchSize: perPrompt },
    });
    latents.dispose();
    const each = images!.unbind(0);
    images!.dispose();
    const encoded: Buffer[] = [];
    for (const [i, image] of each.entries()) {
      encoded.push(await encodePng(image));
      image.dispose();
      writeFileAtomic(join(dir, `${p}-${i}.png`), encoded[i]!);
    }
    pictures.set(prompt, encoded);
  }
  return pictures;
}
