// What a generation is asked for, and what it gives.
import { ConfigError, type Tensor } from "../torch/index.ts";

export interface GenerateOptions {
  /** One prompt per image. */
  prompts: readonly string[];
  /** One seed per image: an image depends on its own seed and prompt only, not on its batch. */
  seeds: readonly (number | bigint)[];
  steps?: number;
  /** Classifier-free guidance; 1 or less means none. */
  guidanceScale?: number;
  /** Pulls the guided prediction's spread back to the conditional one's (arXiv 2305.08891, section 3.4); 0 is off. */
  guidanceRescale?: number;
  /** One for all images, or one per image. */
  negativePrompt?: string | readonly string[];
  /** Layers of the text encoder left out at its end; diffusers' `clip_skip`. */
  clipSkip?: number;
  /** Images denoised together: bounds the memory. */
  batchSize?: number;
  /** Latents of one image, [channels, height, width]; default: the model's own size. */
  latentShape?: readonly [number, number, number];
  /** Standard normal noise to start from, [images, channels, height, width], instead of noise drawn from the seeds. */
  latents?: Tensor;
  /** Decodes large images in overlapping tiles: bounds the decoder's memory, at the price of faint seams. */
  vaeTiling?: boolean;
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
  /** Images of this batch. */
  batch: number;
  /** Steps of this batch done, of `steps`. */
  step: number;
  steps: number;
  /** The timestep just done. */
  timestep: number;
  /** Latents after the step, [batch, C, h, w]: the pipeline's own, valid during the call only. */
  latents: Tensor;
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

/** Throws ConfigError naming the option that does not fit. */
export function checkOptions(options: GenerateOptions): void {
  const { prompts, seeds, batchSize = 8, negativePrompt, latents, clipSkip = 0 } = options;
  if (prompts.length === 0) throw new ConfigError("No prompts given; give one per image.");
  if (prompts.length !== seeds.length)
    throw new ConfigError(`${prompts.length} prompts but ${seeds.length} seeds; give one seed per image.`);
  if (Array.isArray(negativePrompt) && negativePrompt.length !== prompts.length)
    throw new ConfigError(
      `${prompts.length} prompts but ${negativePrompt.length} negative prompts; give one for all, or one per image.`,
    );
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new ConfigError(`batchSize is ${batchSize}, but must be a positive integer.`);
  if (!Number.isInteger(clipSkip) || clipSkip < 0)
    throw new ConfigError(`clipSkip is ${clipSkip}, but must be a whole number of at least 0.`);
  if (latents !== undefined && (latents.ndim !== 4 || latents.shape[0] !== prompts.length))
    throw new ConfigError(
      `latents have the shape [${latents.shape.join(", ")}]; expected [${prompts.length}, channels, height, width], one per image.`,
    );
}
