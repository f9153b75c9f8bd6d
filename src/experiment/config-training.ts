// What both training stages can be told; they differ in their defaults only. The reference's names are in docs/training.md.
import { z } from "zod";
import type { LrScheduleName } from "../nn/index.ts";
import { choice, flag, int, number, positive } from "./config-kinds.ts";

/** The names of nn/lr-schedules.ts; a list of its own, so that the schema does not load the engine. */
const SCHEDULES = [
  "constant",
  "constant_with_warmup",
  "linear",
  "cosine",
  "cosine_with_restarts",
  "polynomial",
] as const satisfies readonly LrScheduleName[];

export const PRECISIONS = ["auto", "float32", "bfloat16", "float16"] as const;

export interface TrainingDefaults {
  readonly steps: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly warmup: number;
  readonly captionDropout: number;
  readonly weightDecay: number;
  readonly ema: number;
}

const beta = () => number(0, 0.999999999);
const betasText = "two numbers from 0 to below 1, such as [0.9, 0.999]";

/** Keys of a training section. */
export const training = (defaults: TrainingDefaults) => ({
  steps: int(1).default(defaults.steps).describe("times that the weights change"),
  epochs: int(1).optional().describe("passes over the images, in place of steps"),
  batchSize: int(1, 65_536).default(defaults.batchSize).describe("images per batch"),
  accumulation: int(1, 65_536).default(1).describe("batches whose gradients make one step"),
  learningRate: positive().default(defaults.learningRate).describe("highest learning rate"),
  scaleLr: flag().default(false).describe("multiply the learning rate by batch size and accumulation"),
  schedule: choice(SCHEDULES).default("cosine").describe("course of the learning rate"),
  warmup: int(0).default(defaults.warmup).describe("steps over which the learning rate rises from 0"),
  cycles: positive().optional().describe("waves of the cosine schedules (default 0.5; 1 with restarts)"),
  power: positive().default(1).describe("exponent of the polynomial schedule"),
  betas: z
    .tuple([beta(), beta()], betasText)
    .default([0.9, 0.999])
    .describe("AdamW: decay of the two moments"),
  epsilon: positive().default(1e-8).describe("AdamW: added to the denominator"),
  weightDecay: number(0).default(defaults.weightDecay).describe("AdamW: decoupled weight decay"),
  maxGradNorm: positive().default(1).describe("gradients are scaled down to this norm"),
  ema: number(0, 0.999999).default(defaults.ema).describe("decay of the averaged weights; 0: none"),
  snrGamma: positive().optional().describe("min-SNR weighting of the loss with this gamma (5 is usual)"),
  noiseOffset: number(0, 10).default(0).describe("scale of a common shift of each channel's noise"),
  inputPerturbation: number(0, 10)
    .default(0)
    .describe("scale of extra noise in the input only (0.1 is usual)"),
  captionDropout: number(0, 1)
    .default(defaults.captionDropout)
    .describe("share of captions replaced by the empty text, which classifier-free guidance needs"),
  posterior: choice(["sample", "mean"])
    .default("sample")
    .describe("latents drawn from the autoencoder's distribution, or its mean"),
  precision: choice(PRECISIONS)
    .default("auto")
    .describe("mixed precision; auto: bfloat16 on CUDA, float32 on a processor"),
  gradientCheckpointing: flag()
    .default(false)
    .describe("recompute activations: less memory, about a third more time"),
  checkpointEvery: int(1).default(250).describe("steps between checkpoints"),
  keep: int(1).default(2).describe("checkpoints kept"),
  validateEvery: int(0).default(0).describe("steps between validations (loss and images); 0: none"),
});
