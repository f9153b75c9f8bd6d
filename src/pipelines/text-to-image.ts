// Text to image with a latent diffusion model: text states -> denoising loop with classifier-free guidance -> decoder.
// Reference: diffusers pipelines/stable_diffusion/pipeline_stable_diffusion.py; the same seeds give the same latents.
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Scheduler } from "../schedulers/index.ts";
import {
  cat,
  ConfigError,
  full,
  Generator,
  inferenceMode,
  keep,
  randn,
  scope,
  type Tensor,
} from "../torch/index.ts";
import { decodeImages } from "./images.ts";
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
}

export interface GenerateOptions {
  /** One prompt per image. */
  prompts: readonly string[];
  /** One seed per image: an image depends on its own seed and prompt only, not on its batch. */
  seeds: readonly (number | bigint)[];
  steps?: number;
  /** Classifier-free guidance; 1 or less means none. */
  guidanceScale?: number;
  negativePrompt?: string;
  /** Images denoised together: bounds the memory. */
  batchSize?: number;
  latentShape?: readonly [number, number, number];
  /** DDIM's eta. */
  eta?: number;
  /** "images" (default) decodes; "latents" leaves the decoder out. */
  output?: "images" | "latents";
  /** Called after every step. */
  onStep?: (progress: StepProgress) => void;
  /** Stops between two steps by throwing the signal's reason. */
  signal?: AbortSignal;
}

export interface StepProgress {
  /** Images finished before this batch, and images wanted. */
  imagesDone: number;
  images: number;
  /** Steps of this batch done, of `steps`. */
  step: number;
  steps: number;
}

/** The caller owns and disposes of the tensors. */
export interface GeneratedBatch {
  /** Index of the batch's first image. */
  first: number;
  /** Final latents, [B, C, h, w], on the CPU. */
  latents: Tensor;
  /** uint8 [B, 3, H, W], on the CPU; absent for `output: "latents"`. */
  images?: Tensor;
}

/** Makes images from prompts; the parts stay the caller's. One generation at a time: the scheduler has state. */
export class TextToImagePipeline<P extends PipelineParts = PipelineParts> {
  readonly parts: P;

  constructor(parts: P) {
    this.parts = parts;
  }

  /** All images at once: latents [N, C, h, w] and images [N, 3, H, W]. For many images use `batches`, which holds only one batch. */
  async generate(options: GenerateOptions): Promise<{ latents: Tensor; images?: Tensor }> {
    const batches: GeneratedBatch[] = [];
    try {
      for await (const batch of this.batches(options)) batches.push(batch);
      const latents = keep(
        cat(
          batches.map((batch) => batch.latents),
          0,
        ),
      );
      if (options.output === "latents") return { latents };
      return {
        latents,
        images: keep(
          cat(
            batches.map((batch) => batch.images!),
            0,
          ),
        ),
      };
    } finally {
      for (const batch of batches) {
        batch.latents.dispose();
        batch.images?.dispose();
      }
    }
  }

  /** The images batch by batch, in order; gives the event loop a turn after every step. Throws ConfigError for bad options. */
  async *batches(options: GenerateOptions): AsyncGenerator<GeneratedBatch, void, undefined> {
    const { prompts, seeds, negativePrompt = "", batchSize = 8, output = "images" } = options;
    checkOptions(options);
    const { vae, tokenizer, textEncoder, device } = this.parts;
    using texts = new TextStates(tokenizer, textEncoder, device);
    texts.prepare([negativePrompt, ...prompts], batchSize);
    for (let first = 0; first < prompts.length; first += batchSize) {
      const last = Math.min(first + batchSize, prompts.length);
      const latents = await this.denoise({
        ...options,
        texts,
        first,
        images: prompts.length,
        prompts: prompts.slice(first, last),
        seeds: seeds.slice(first, last),
      });
      try {
        // Cloned outside inference mode, so that the results may be used in training.
        const images =
          output === "images"
            ? keep(scope(() => inferenceMode(() => decodeImages(vae, latents)).clone()))
            : undefined;
        yield { first, latents: keep(scope(() => latents.to("cpu").clone())), images };
      } finally {
        latents.dispose();
      }
    }
  }

  private async denoise(
    batch: GenerateOptions & { texts: TextStates; first: number; images: number },
  ): Promise<Tensor> {
    const { texts, prompts, seeds, steps = 50, guidanceScale = 7.5, negativePrompt = "", eta } = batch;
    const { scheduler, latentShape, device = "cpu" } = this.parts;
    const guided = guidanceScale > 1;
    const generators = seeds.map((seed) => new Generator().manualSeed(seed));

    // 1. Text states, unconditional first, and initial noise.
    const states = inferenceMode(() =>
      scope(() => keep(texts.of(guided ? [...prompts.map(() => negativePrompt), ...prompts] : prompts))),
    );
    scheduler.setTimesteps(steps);
    const shape = [1, ...(batch.latentShape ?? latentShape)];
    let latents = inferenceMode(() =>
      scope(() => {
        const noise = cat(
          generators.map((generator) => randn(shape, { generator, dtype: states.dtype })),
          0,
        );
        return keep(noise.to(device).mul(scheduler.initNoiseSigma));
      }),
    );

    // 2. The loop. Only the latents live from one step to the next.
    try {
      const { timesteps } = scheduler;
      for (const [index, timestep] of timesteps.entries()) {
        batch.signal?.throwIfAborted();
        const current = latents;
        latents = inferenceMode(() =>
          scope(() => {
            const prediction = this.predict(current, timestep, { states, guidanceScale });
            return keep(scheduler.step(prediction, timestep, current, { generator: generators, eta }));
          }),
        );
        current.dispose();
        batch.onStep?.({
          imagesDone: batch.first,
          images: batch.images,
          step: index + 1,
          steps: timesteps.length,
        });
        await nextTurn();
      }
      return latents;
    } catch (error) {
      latents.dispose();
      throw error;
    } finally {
      states.dispose();
    }
  }

  /** The denoiser's prediction; with guidance both halves in one batch: u + scale * (c - u). */
  private predict(
    latents: Tensor,
    timestep: number,
    { states, guidanceScale }: { states: Tensor; guidanceScale: number },
  ) {
    const { unet, scheduler, device = "cpu" } = this.parts;
    const guided = guidanceScale > 1;
    const sample = scheduler.scaleModelInput(guided ? cat([latents, latents], 0) : latents, timestep);
    const timesteps = full([sample.shape[0]!], timestep, { dtype: "int64", device });
    const prediction = unet.forward(sample, timesteps, states);
    if (!guided) return prediction;
    const [unconditional, conditional] = prediction.chunk(2, 0) as [Tensor, Tensor];
    return unconditional.add(conditional.sub(unconditional).mul(guidanceScale));
  }
}

function checkOptions({ prompts, seeds, batchSize = 8 }: GenerateOptions): void {
  if (prompts.length === 0) throw new ConfigError("No prompts given; give one per image.");
  if (prompts.length !== seeds.length)
    throw new ConfigError(`${prompts.length} prompts but ${seeds.length} seeds; give one seed per image.`);
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new ConfigError(`batchSize is ${batchSize}, but must be a positive integer.`);
}
