// What runs without gradients: sampling, the losses of group inference, the autoencoder. Twin: tools/bench/gpu/inference.py.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { measureLosses } from "../../src/experiment/groups/index.ts";
import { graphedDenoiser, type ImageDecoder, TextToImagePipeline } from "../../src/pipelines/index.ts";
import { makeScheduler } from "../../src/schedulers/index.ts";
import { Generator, inferenceMode, randn, scope, synchronize } from "../../src/torch/index.ts";
import type { AutoencoderCase, GroupsCase, SamplingCase, Way } from "./cases.ts";
import { memoryOf, timeBlocks } from "./clock.ts";
import { newUnet, newVae } from "./networks.ts";
import type { Measured } from "./protocol.ts";
import { randomSet } from "./random-set.ts";
import { NOISE_SCHEDULE } from "./training-case.ts";

/** Milliseconds of a batch by the program's pipeline, until the latents are there and until the images are. */
export async function measureSampling(one: SamplingCase, way: Way, device: string): Promise<Measured[]> {
  const { batch, steps, guidanceScale, precision: dtype, tokens, textWidth, latentShape } = one;
  using unet = newUnet(one.unet, { device, dtype });
  using graphed = way === "graph" ? graphedDenoiser(unet, device) : undefined;
  using vae = newVae(one.vae, { device, dtype });
  using states = randn([1, tokens, textWidth], { generator: new Generator(device).manualSeed(0), device }).to(
    dtype,
  );
  let denoised: number | undefined;
  const decoder: ImageDecoder = {
    config: vae.config,
    decode: (latents, options) => {
      if (denoised === undefined) {
        synchronize(device);
        denoised = performance.now();
      }
      return vae.decode(latents, options);
    },
  };
  const pipeline = new TextToImagePipeline({
    // Recorded here, as the pipeline does it, so that the graph outlives the run in which it is made.
    ...{ unet: graphed ?? unet, vae: decoder, latentShape, device },
    // Texts are encoded once per prompt; here their states are given.
    textEncoder: { forward: () => states.alias() },
    tokenizer: { encode: () => ({ inputIds: new BigInt64Array(tokens), shape: [1, tokens] }) },
    scheduler: makeScheduler("ddim", {
      ...NOISE_SCHEDULE,
      clip_sample: false,
      set_alpha_to_one: false,
      steps_offset: 1,
    }),
  });
  const run = async (count: number): Promise<[toLatents: number, toImages: number]> => {
    denoised = undefined;
    synchronize(device);
    const start = performance.now();
    const { latents, images } = await pipeline.generate({
      ...{ prompts: Array<string>(batch).fill("a photo"), seeds: Array.from({ length: batch }, (_, i) => i) },
      ...{ steps: count, guidanceScale, batchSize: batch },
    });
    const end = performance.now();
    const made = images?.shape[0];
    latents.dispose();
    images?.dispose();
    if (made !== batch || denoised === undefined) throw new Error(`${made} of ${batch} images were made`);
    return [denoised - start, end - start];
  };
  await run(one.warmup);
  const times: [number, number][] = [];
  for (let i = 0; i < one.runs; i++) times.push(await run(steps));
  const peak = memoryOf(device);
  return ["to latents", "to images"].map((row, i) => ({
    ...{ variant: way, row, milliseconds: times.map((pair) => pair[i]!), ...peak },
  }));
}

/** Milliseconds of a batch of images in the profile of group inference, losses under the caption and without it. */
export async function measureGroups(
  one: GroupsCase,
  way: Way,
  { device, cache }: { device: string; cache: string },
): Promise<Measured[]> {
  const { batch, blocks, timesteps } = one;
  // A batch before those that are timed, and one behind them: a batch is known to be over when the next one is queued.
  const images = batch * (blocks + 2);
  using set = await randomSet(cache, { ...one, images, device });
  using unet = newUnet(one.unet, { device }).requiresGrad_(false).eval();
  using graphed = way === "graph" ? graphedDenoiser(unet, device) : undefined;
  const dir = mkdtempSync(join(tmpdir(), "invdiff-bench-"));
  const ends: number[] = [];
  try {
    const parts = { denoiser: graphed ?? unet, scheduler: makeScheduler("ddpm", NOISE_SCHEDULE) };
    await measureLosses(dir, parts, set, {
      ...{ signal: "profile", seed: 0, key: "bench", timesteps, noises: 1, contrast: "empty-caption" },
      ...{ batchSize: batch, shardSize: images },
      onProgress: () => ends.push(performance.now()),
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  const milliseconds = Array.from({ length: blocks }, (_, i) => ends[i + 1]! - ends[i]!);
  return [{ variant: way, row: "", milliseconds, ...memoryOf(device) }];
}

/** Milliseconds of a batch through the encoder or the decoder. */
export function measureAutoencoder(one: AutoencoderCase, way: Way, device: string): Measured[] {
  const { batch, precision: dtype, imageShape, latentShape, kind } = one;
  using vae = newVae(one.vae, { device, dtype });
  const shape = [batch, ...(kind === "encode" ? imageShape : latentShape)];
  using given = randn(shape, { generator: new Generator(device).manualSeed(0), device }).to(dtype);
  const call = () =>
    inferenceMode(() => scope(() => void (kind === "encode" ? vae.encode(given) : vae.decode(given))));
  return [{ variant: way, row: "", milliseconds: timeBlocks(call, device, one), ...memoryOf(device) }];
}
