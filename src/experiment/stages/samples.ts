// Stages "samples-base" and "samples": the same prompts and seeds through the base and through the guided model.
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { readSafetensors, writeSafetensors } from "../../checkpoint/index.ts";
import { savePng } from "../../data/index.ts";
import type { Denoiser } from "../../pipelines/index.ts";
import { TextToImagePipeline } from "../../pipelines/index.ts";
import { cat, ConfigError, keep, scope, type Tensor, writeFileAtomic } from "../../torch/index.ts";
import { type ExperimentConfig, imagesPerPrompt } from "../config.ts";
import { tensorKeys } from "../evaluation/image-set.ts";
import { graphOptions } from "../graphs.ts";
import { inMemory } from "../memory-shortage.ts";
import type { Stage, StageContext } from "../stage.ts";
import { precisionOf } from "../training/settings.ts";
import { loadGuidance } from "./guidance-model.ts";
import { inPrecision } from "./in-precision.ts";
import { readItems } from "./items-file.ts";
import {
  baseUnet,
  modelHash,
  openScheduler,
  openTextEncoder,
  openTokenizer,
  openVae,
  readJsonIfThere,
} from "./materials.ts";

/** What a samples stage leaves in samples.json beside images.safetensors and the PNG files. */
export interface SamplesSummary {
  readonly prompts: readonly string[];
  readonly perPrompt: number;
  readonly firstSeed: number;
  /** Of each image, as an evaluation knows it; absent in folders of older versions. */
  readonly keys?: readonly string[];
  /** What was appended to the prompts; absent: nothing. */
  readonly added?: string;
}

/** What the images of a model depend on, besides the model. */
export const sampleInputs = async (config: ExperimentConfig) => {
  const { batchSize: _, precision: __, ...given } = config.samples;
  const samples = { ...given, ...halfPrecision(config), perPrompt: imagesPerPrompt(config) };
  return { samples, model: await modelHash(config, ["vae", "text_encoder", "tokenizer", "scheduler"]) };
};

/** Float32 is not named: it is what samples were made in before there was a choice. */
const halfPrecision = ({ samples, device }: ExperimentConfig) => {
  const precision = precisionOf(samples, device);
  return precision === "float32" ? {} : { precision };
};

export const baseSamplesStage: Stage = {
  name: "samples-base",
  needs: ["latents", "base"],
  inputs: sampleInputs,
  async run(context) {
    using unet = baseUnet(context.config, context.input("base"));
    return await sampleImages(context, unet.eval());
  },
};

export const guidedSamplesStage = (suffix: string): Stage => ({
  name: `samples${suffix}`,
  needs: ["latents", "base", `guidance${suffix}`],
  inputs: async (config) => ({ ...(await sampleInputs(config)), strength: config.guidance.strength }),
  async run(context) {
    const { config, input } = context;
    const dir = input(`guidance${suffix}`);
    using unet = baseUnet(config, input("base"));
    // Without a trained module (no second population was found) the guided model is the base.
    if (!readJsonIfThere(join(dir, "guidance.json"))) return await sampleImages(context, unet.eval());
    const { form, strength } = config.guidance;
    using guidance = loadGuidance(unet, dir, form === "blend" ? {} : { strength });
    return await sampleImages(context, guidance.forSampling());
  },
});

/** Prompts of the configuration, or the data's own captions if they are few. */
function promptsOf({ config, input }: StageContext): readonly string[] {
  if (config.samples.prompts) return config.samples.prompts;
  const captions = readItems(input("latents")).captions.filter((caption) => caption !== "");
  if (captions.length > 8)
    throw new ConfigError(
      `The data has ${captions.length} different captions; say under samples.prompts which prompts to sample (2 to 8 of them).`,
    );
  return captions;
}

/**
 * Samples every prompt and writes images.safetensors, PNG files and samples.json; image i has the seed `seed + i` whatever
 * the batches are. `added` is appended to the prompt that the model is given.
 */
export async function sampleImages(
  context: StageContext,
  denoiser: Denoiser,
  { added = "" }: { readonly added?: string } = {},
): Promise<Record<string, unknown>> {
  const { config, dir, signal, progress, note } = context;
  const perPrompt = imagesPerPrompt(config);
  const { steps, guidanceScale, seed, batchSize, scheduler } = config.samples;
  const prompts = promptsOf(context);
  using vae = openVae(config);
  using textEncoder = openTextEncoder(config);
  const pipeline = new TextToImagePipeline({
    unet: inPrecision(denoiser, precisionOf(config.samples, config.device), config.device),
    vae,
    textEncoder,
    tokenizer: openTokenizer(config),
    scheduler: openScheduler(config, scheduler),
    latentShape: [
      vae.config.latent_channels,
      config.data.resolution / scaleOf(vae),
      config.data.resolution / scaleOf(vae),
    ],
    device: config.device,
    graphs: graphOptions(config.accelerator, note),
  });
  const all = prompts.flatMap((prompt) => Array.from({ length: perPrompt }, () => prompt));
  const parts: Tensor[] = [];
  let keys: string[] = [];
  const batches = pipeline.batches({
    prompts: all.map((prompt) => prompt + added),
    seeds: all.map((_, i) => seed + i),
    steps,
    guidanceScale,
    batchSize,
    signal,
    onStep: ({ imagesDone, step, steps: count }) => {
      const inBatch = Math.min(batchSize, all.length - imagesDone);
      progress({ task: "sampling", done: imagesDone + (inBatch * step) / count, total: all.length });
    },
  });
  try {
    await inMemory({ what: "Sampling", option: "samples.batchSize", size: batchSize }, async () => {
      for await (const { latents, images } of batches) {
        latents.dispose();
        parts.push(images!);
      }
    });
    await writePngs(dir, parts, { prompts, perPrompt });
    keys = writeImages(dir, parts);
  } finally {
    for (const part of parts) part.dispose();
  }
  const summary: SamplesSummary = {
    prompts,
    perPrompt,
    firstSeed: seed,
    keys,
    ...(added !== "" && { added }),
  };
  writeFileAtomic(join(dir, "samples.json"), JSON.stringify(summary, null, 2));
  return { images: all.length, prompts };
}

/** How many pixels one latent stands for along a side. */
const scaleOf = ({ config }: { config: { block_out_channels: readonly number[] } }): number =>
  2 ** (config.block_out_channels.length - 1);

/** A prompt as a folder name; the index keeps prompts apart that differ only in signs. */
export const promptFolder = (prompt: string, index: number): string =>
  `${index}-${prompt
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")
    .slice(0, 60)}`;

/** Folder of a prompt's PNG files in a samples stage's own. */
const pngFolder = (dir: string, prompts: readonly string[], prompt: number): string =>
  join(dir, "images", promptFolder(prompts[prompt]!, prompt));

/** PNG file of the image at this place, prompt by prompt. */
export const sampleFile = (
  dir: string,
  { prompts, perPrompt }: Pick<SamplesSummary, "prompts" | "perPrompt">,
  index: number,
): string =>
  join(
    pngFolder(dir, prompts, Math.floor(index / perPrompt)),
    `${String(index % perPrompt).padStart(4, "0")}.png`,
  );

async function writePngs(
  dir: string,
  parts: readonly Tensor[],
  summary: Pick<SamplesSummary, "prompts" | "perPrompt">,
): Promise<void> {
  for (const prompt of summary.prompts.keys())
    mkdirSync(pngFolder(dir, summary.prompts, prompt), { recursive: true });
  let index = 0;
  for (const part of parts) {
    const pictures = part.unbind(0);
    const first = index;
    index += pictures.length;
    await Promise.all(pictures.map((picture, i) => savePng(sampleFile(dir, summary, first + i), picture)));
    for (const picture of pictures) picture.dispose();
  }
}

/** Writes all images as one tensor; gives their keys. */
function writeImages(dir: string, parts: readonly Tensor[]): string[] {
  using images = keep(scope(() => cat([...parts], 0)));
  writeSafetensors(join(dir, "images.safetensors"), { images }, { format: "pt" });
  return tensorKeys(images);
}

/** The images of a samples stage, uint8 [prompts * perPrompt, 3, H, W], with their summary. */
export function loadSamples(dir: string): SamplesSummary & { images: Tensor } {
  const images = readSafetensors(join(dir, "images.safetensors")).get("images")!;
  return { ...readJsonIfThere<SamplesSummary>(join(dir, "samples.json"))!, images };
}
