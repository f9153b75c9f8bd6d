// Text to image with a latent diffusion model: text states -> denoising loop with classifier-free guidance -> decoder.
// Reference: diffusers pipelines/stable_diffusion/pipeline_stable_diffusion.py; the same seeds give the same latents.
import type { Scheduler } from "../schedulers/index.ts";
import {
  cat,
  ConfigError,
  type DType,
  full,
  Generator,
  inferenceMode,
  keep,
  randn,
  scope,
  type Tensor,
  upload,
} from "../torch/index.ts";
import { checkOptions, type GeneratedBatch, type GenerateOptions } from "./generate-options.ts";
import { graphedDenoiser, type GraphOptions } from "./graphed-denoiser.ts";
import { classifierFreeGuidance } from "./guidance-scale.ts";
import { decodeImages } from "./images.ts";
import { Pace } from "./pace.ts";
import type { Denoiser, ImageDecoder, TextEncoder, TextTokenizer } from "./parts.ts";
import { TextStates } from "./text-states.ts";

export interface PipelineParts {
  unet: Denoiser;
  vae: ImageDecoder;
  textEncoder: TextEncoder;
  tokenizer: TextTokenizer;
  scheduler: Scheduler;
  /** Latents of one image, [channels, height, width]. */
  latentShape: readonly [number, number, number];
  /** Where the models live; default "cpu". */
  device?: string;
  /** Whether the denoiser's work is recorded and replayed, where the device can (see `graphedDenoiser`); default: no. */
  graphs?: boolean | GraphOptions;
}

/** What one batch adds to the options of the whole generation. */
interface Batch {
  readonly unet: Denoiser;
  readonly texts: TextStates;
  readonly first: number;
  readonly prompts: readonly string[];
  readonly negativePrompts: readonly string[];
  readonly seeds: readonly (number | bigint)[];
}

/** Makes images from prompts; the parts stay the caller's. One generation at a time: the scheduler has state. */
export class TextToImagePipeline<P extends PipelineParts = PipelineParts> {
  readonly parts: P;

  constructor(parts: P) {
    this.parts = parts;
  }

  /** The same pipeline with some parts exchanged, such as a guided denoiser in place of the U-Net. */
  with(parts: Partial<PipelineParts>): TextToImagePipeline {
    return new TextToImagePipeline({ ...this.parts, ...parts });
  }

  /** All images at once: latents [N, C, h, w] and images [N, 3, H, W]. For many images use `batches`, which holds only one batch. */
  async generate(options: GenerateOptions): Promise<{ latents: Tensor; images?: Tensor }> {
    const batches: GeneratedBatch[] = [];
    const joined = (pick: (batch: GeneratedBatch) => Tensor) => keep(cat(batches.map(pick), 0));
    try {
      for await (const batch of this.batches(options)) batches.push(batch);
      const latents = joined((batch) => batch.latents);
      if (options.output === "latents") return { latents };
      return { latents, images: joined((batch) => batch.images!) };
    } finally {
      for (const batch of batches) {
        batch.latents.dispose();
        batch.images?.dispose();
      }
    }
  }

  /** The images batch by batch, in order; gives the event loop a turn after every step. Throws ConfigError for bad options. */
  async *batches(options: GenerateOptions): AsyncGenerator<GeneratedBatch, void, undefined> {
    checkOptions(options);
    const { prompts, seeds, negativePrompt = "", batchSize = 8, output = "images", clipSkip } = options;
    const { vaeTiling: tiling = false } = options;
    const negativePrompts =
      typeof negativePrompt === "string" ? prompts.map(() => negativePrompt) : negativePrompt;
    const { vae, tokenizer, textEncoder, device } = this.parts;
    using texts = new TextStates(tokenizer, textEncoder, { device, clipSkip });
    using graphed = this.graphed();
    const unet = graphed ?? this.parts.unet;
    const lastUse = new Map<string, number>();
    for (const list of [prompts, negativePrompts])
      list.forEach((text, i) => lastUse.set(text, Math.max(i, lastUse.get(text) ?? 0)));
    for (let first = 0; first < prompts.length; first += batchSize) {
      const part = <T>(list: readonly T[]): T[] => list.slice(first, first + batchSize);
      const latents = await this.denoise(options, {
        unet,
        texts,
        first,
        prompts: part(prompts),
        negativePrompts: part(negativePrompts),
        seeds: part(seeds),
      });
      try {
        // Cloned outside inference mode, so that the results may be used in training.
        const images =
          output === "images"
            ? keep(scope(() => inferenceMode(() => decodeImages(vae, latents, { tiling })).clone()))
            : undefined;
        yield { first, latents: keep(scope(() => latents.to("cpu").clone())), images };
      } finally {
        latents.dispose();
      }
      const isDone = (text: string) => lastUse.get(text)! < first + batchSize;
      texts.forget([...part(prompts), ...part(negativePrompts)].filter(isDone));
    }
  }

  private graphed() {
    const { unet, graphs = false, device = "cpu" } = this.parts;
    return graphs === false ? undefined : graphedDenoiser(unet, device, graphs === true ? {} : graphs);
  }

  private async denoise(options: GenerateOptions, batch: Batch): Promise<Tensor> {
    const { steps = 50, guidanceScale = 7.5, eta, signal, onStep, prompts } = options;
    const { scheduler, device = "cpu" } = this.parts;
    const generators = batch.seeds.map((seed) => new Generator().manualSeed(seed));

    // 1. Text states, unconditional first, and initial noise.
    const { texts, negativePrompts } = batch;
    const wanted = guidanceScale > 1 ? [...negativePrompts, ...batch.prompts] : batch.prompts;
    const states = inferenceMode(() => scope(() => keep(texts.of(wanted))));
    try {
      scheduler.setTimesteps(steps);
      let latents = inferenceMode(() =>
        scope(() => {
          const noise = this.initialNoise(options, batch, { generators, dtype: states.dtype });
          return keep(upload(noise, device).mul(scheduler.initNoiseSigma));
        }),
      );

      // 2. The loop. Only the latents live from one step to the next; nothing in it waits for the device.
      try {
        using pace = new Pace(device);
        const { timesteps } = scheduler;
        for (const [index, timestep] of timesteps.entries()) {
          signal?.throwIfAborted();
          const current = latents;
          latents = inferenceMode(() =>
            scope(() => {
              const prediction = this.predict(current, timestep, { ...options, states, unet: batch.unet });
              return keep(scheduler.step(prediction, timestep, current, { generator: generators, eta }));
            }),
          );
          current.dispose();
          onStep?.({
            imagesDone: batch.first,
            images: prompts.length,
            batch: batch.seeds.length,
            step: index + 1,
            steps: timesteps.length,
            timestep,
            latents,
          });
          await pace.turn();
        }
        return latents;
      } catch (error) {
        latents.dispose();
        throw error;
      }
    } finally {
      states.dispose();
      scheduler.reset();
    }
  }

  /** Standard normal latents of a batch: the caller's, or drawn from each image's own generator. */
  private initialNoise(
    { latents, latentShape = this.parts.latentShape }: GenerateOptions,
    { first, seeds }: Batch,
    { generators, dtype }: { generators: readonly Generator[]; dtype: DType },
  ): Tensor {
    if (latents !== undefined) {
      const [, ...shape] = latents.shape;
      if (shape[0] !== latentShape[0])
        throw new ConfigError(
          `latents have ${shape[0]} channels; expected ${latentShape[0]}, as the model has.`,
        );
      return latents.slice(0, first, first + seeds.length).to({ dtype });
    }
    // Drawn in the model's dtype: Python draws other numbers for float16 than for float32.
    const drawn = generators.map((generator) => randn([1, ...latentShape], { generator, dtype }));
    return cat(drawn, 0);
  }

  /** The denoiser's prediction; with guidance both halves go through it in one batch. */
  private predict(
    latents: Tensor,
    timestep: number,
    options: Pick<GenerateOptions, "guidanceScale" | "guidanceRescale"> & { states: Tensor; unet: Denoiser },
  ): Tensor {
    const { states, unet, guidanceScale = 7.5, guidanceRescale = 0 } = options;
    const { scheduler, device = "cpu" } = this.parts;
    const guided = guidanceScale > 1;
    const sample = scheduler.scaleModelInput(guided ? cat([latents, latents], 0) : latents, timestep);
    // Sigma-based schedulers stop between two training timesteps.
    const dtype = Number.isInteger(timestep) ? "int64" : "float32";
    const timesteps = full([sample.shape[0]!], timestep, { dtype, device });
    const prediction = unet.forward(sample, timesteps, states, { timestep });
    return guided ? classifierFreeGuidance(prediction, { guidanceScale, guidanceRescale }) : prediction;
  }
}
