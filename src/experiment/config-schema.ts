// The schema of an experiment: every key, its bounds, its default and what it is for, in one place. The help of the
// commands is made from it; `quickstart` is the defaults alone.
import { z } from "zod";
import { accelerator } from "./config-accelerator.ts";
import { choice, flag, int, number, section, text, texts, unwrap } from "./config-kinds.ts";
import { PRECISIONS, training } from "./config-training.ts";
import { isDeviceName } from "./engine.ts";
import { SAMPLING_SCHEDULERS } from "./sampling/choices.ts";

const sizeText = "a multiple of 8 from 8 to 2048";

const data = section({
  kind: choice(["birds", "folder"])
    .default("birds")
    .describe("birds: the procedural data set, drawn by the run; folder: your own images"),
  path: text()
    .optional()
    .describe("folder of images with captions, parquet files, or hf://datasets/OWNER/NAME"),
  captionColumn: text().optional().describe("column of the captions (default: text, or caption)"),
  validationPath: text()
    .optional()
    .describe("a further image folder, balanced, for validation and evaluation"),
  train: int(16, 1_000_000).default(4000).describe("birds: training images"),
  validation: int(0, 1_000_000).default(1200).describe("birds: validation images"),
  balance: number(0, 1).default(0.9).describe("birds: share of each bird's images on its usual place"),
  poseBalance: number(0, 1)
    .optional()
    .describe("birds: share of each bird's images in its usual pose, a second hidden attribute"),
  resolution: z
    .int(sizeText)
    .min(8, sizeText)
    .max(2048, sizeText)
    .multipleOf(8, sizeText)
    .default(64)
    .describe("width and height in pixels that the images are resized and cropped to"),
  crop: choice(["centre", "random"])
    .default("centre")
    .describe("where the square is cut from; random needs every image encoded at every step"),
  flip: flag().default(false).describe("mirror half of the images, drawn anew each time"),
  maxTrainSamples: int(1).optional().describe("train on a random part of this many images"),
  cache: flag().default(true).describe("encode every image and caption once and keep the result"),
  cacheFolder: text().optional().describe("folder of the cache (default: cache/ of the experiment)"),
});

const model = section({
  path: text()
    .optional()
    .describe("model folder in the diffusers layout (default: the small model of this package)"),
  unet: choice(["pretrained", "scratch"])
    .optional()
    .describe("start from the folder's weights or from random ones (default: scratch where it has none)"),
  predictionType: choice(["epsilon", "v_prediction"])
    .optional()
    .describe("what the U-Net predicts (default: as the scheduler's file says)"),
});

const base = section({
  ...training({
    steps: 2000,
    batchSize: 32,
    learningRate: 1e-3,
    warmup: 100,
    captionDropout: 0.1,
    weightDecay: 0.01,
    ema: 0.995,
  }),
  skip: flag().default(false).describe("the model's own U-Net already is the biased base"),
});

const groups = section({
  method: choice(["inferred", "oracle", "reference", "file", "column"])
    .default("inferred")
    .describe("how the groups are found"),
  signal: choice(["profile", "single", "reference"])
    .default("profile")
    .describe("what is measured: shared noises and timesteps, one random draw, the reference's"),
  solver: choice(["mixture", "spread"]).default("mixture").describe("mixture, or the reference's spread"),
  timesteps: z
    .array(int(0), "a list of timesteps such as [700, 900]")
    .min(1, "at least one timestep")
    .refine((list) => new Set(list).size === list.length, "timesteps that differ from each other")
    .default([700, 850, 950, 999])
    .describe("timesteps of the profile"),
  noises: int(1, 1000).default(1).describe("noises per timestep of the profile"),
  contrast: choice(["empty-caption", "none", "both"])
    .default("empty-caption")
    .describe("what a loss is compared with: the loss under the empty caption, nothing, or both"),
  count: int(2, 64).optional().describe("number of groups (default: chosen from the losses; spread: 2)"),
  batchSize: int(1, 65_536).default(256).describe("images measured together"),
  precision: choice(PRECISIONS)
    .default("float32")
    .describe("what the losses are measured in; auto: bfloat16 on CUDA"),
  shardSize: int(1, 10_000_000).default(4096).describe("images per file of losses"),
  oracleColumn: z
    .union([text(), texts("columns")], "the name of a column, or a list of them")
    .default("place")
    .describe("columns with the true labels, for method oracle only"),
  file: text().optional().describe("method file: soft groups of ours (.safetensors) or a published .pkl"),
  index: text().optional().describe("method file: index2index.pkl of a published grouper"),
  column: text().optional().describe("method column: hard groups are this column's values"),
});

export const GUIDANCE_MODULES = [
  "lora",
  "copy",
  "small0",
  "small1",
  "small2",
  "small3",
  "small4",
  "scratch",
] as const;

const guidance = section({
  form: choice(["difference", "residual", "blend"])
    .default("difference")
    .describe("how the module is added: difference from the base, residual, or the reference's blend"),
  module: choice(GUIDANCE_MODULES)
    .optional()
    .describe(
      "low-rank adapters (default of difference), a full copy (of the others), the reference's small sizes, a fresh network",
    ),
  rank: int(1, 4096).default(8).describe("rank of the adapters"),
  targets: texts("layers")
    .optional()
    .describe("layers with adapters: names that a layer's path contains, such as attn2 (default: all)"),
  strength: number(0).default(1).describe("strength of the module, in training and sampling"),
  ratio: number(0, 1).default(0.5).describe("blend: share of the module"),
  lambda: number(0).default(1).describe("weight of the variance of the group losses"),
  balanced: flag().default(true).describe("draw batches balanced over the groups"),
  highNoiseShare: number(0, 1)
    .default(0.5)
    .describe(
      "share of each batch with timesteps from highNoiseFrom upwards only: there the bias is decided",
    ),
  highNoiseFrom: int(0).default(600).describe("see highNoiseShare"),
  from: int(0)
    .default(0)
    .describe("train and apply the guidance at timesteps from here upwards only; 0: at all of them"),
  ...training({
    steps: 700,
    batchSize: 32,
    learningRate: 2e-3,
    warmup: 50,
    captionDropout: 0,
    weightDecay: 0,
    ema: 0.98,
  }),
});

const validation = section({
  images: int(1).default(256).describe("at most so many images for the validation loss"),
  prompts: texts("prompts").optional().describe("prompts of the validation images (default: none)"),
  perPrompt: int(1, 1000).default(2).describe("validation images per prompt"),
  steps: int(1, 1000).default(20).describe("denoising steps of the validation images"),
  guidanceScale: number(0).default(7.5).describe("classifier-free guidance of the validation images"),
  scheduler: choice(SAMPLING_SCHEDULERS).default("ddim").describe("sampler of the validation images"),
  seed: int(0).default(0).describe("seed of the first validation image"),
});

const tracking = section({
  tracker: z
    .array(choice(["tensorboard", "mlflow"]), "a list of tensorboard and mlflow, or []")
    .default(["tensorboard"])
    .describe("where metrics go besides metrics.jsonl: tensorboard, mlflow"),
  mlflowUrl: text().default("http://127.0.0.1:5000").describe("address of the MLflow server"),
  mlflowExperiment: text().default("invdiff").describe("experiment's name in MLflow"),
});

const samples = section({
  prompts: texts("prompts")
    .optional()
    .describe("what to sample (default: the captions of the data, if they are 8 at most)"),
  perPrompt: int(1, 1_000_000).optional().describe("images per prompt (default: 512; birds: 256)"),
  steps: int(1, 1000).default(25).describe("denoising steps"),
  guidanceScale: number(0).default(1.5).describe("classifier-free guidance; 1: none"),
  seed: int(0).default(1000).describe("seed of the first image"),
  batchSize: int(1, 65_536).default(64).describe("images denoised together"),
  precision: choice(PRECISIONS)
    .default("auto")
    .describe("what the U-Net computes in; auto: bfloat16 on CUDA, float32 on a processor"),
  scheduler: choice(SAMPLING_SCHEDULERS).default("ddim").describe("sampler"),
});

const columns = () =>
  z.union([text(), texts("columns")], "the name of a column, or a list of them").optional();

/** Further rows of the comparison. */
export const COMPARISONS = ["oracle", "reference", "diverse-prompt", "reweighting"] as const;

const evaluation = section({
  subjectColumn: text().optional().describe("column that the caption names (birds: subject; a folder: none)"),
  hiddenColumn: columns().describe(
    "columns of the attributes that no caption names (birds: place; a folder: none)",
  ),
  compare: z
    .array(choice(COMPARISONS), `a list of ${COMPARISONS.join(", ")}`)
    .default([])
    .describe(
      "further models in the comparison, made by the run: guidance on true labels, guidance on the reference's groups, the base asked for diverse outputs, training on re-weighted data without guidance",
    ),
  classifiers: texts("folders")
    .optional()
    .describe(
      "classifiers made by train-classifier, or the reference's model.pth (default: small ones, trained by the run)",
    ),
  networks: text()
    .optional()
    .describe("folder of the feature networks' files (default: where `invdiff download network` puts them)"),
  clip: text()
    .optional()
    .describe("folder of the CLIP model for CLIP-T (default: the one that was downloaded)"),
  fid: choice(["clean", "reference"])
    .default("clean")
    .describe("how images are resized for the FID: antialiased, or the reference's 255 pixels"),
  neighbours: int(1, 1000)
    .default(3)
    .describe("nearest neighbours of precision and recall (density and coverage: 5)"),
  lpipsImages: int(2, 10_000).default(32).describe("images per prompt whose pairs are compared by LPIPS"),
  classifierSteps: int(1).default(300).describe("training steps of each classifier"),
  bootstrap: int(1, 1_000_000).default(2000).describe("bootstrap draws of the intervals"),
});

const deviceText = '"cpu", "cuda" or a numbered device such as "cuda:1"';
const threadsText = '"auto" or a whole number from 1 to 1024';

/** Schema of a whole experiment; absent sections take their defaults. */
export const experimentSchema = section({
  name: text().default("birds"),
  seed: int(0, 2 ** 32 - 1)
    .default(0)
    .describe("seed of everything random"),
  device: z
    .string(deviceText)
    .refine(isDeviceName, deviceText)
    .default("cpu")
    .describe("cpu, cuda or cuda:N"),
  threads: z
    .union([z.int(threadsText).min(1, threadsText).max(1024, threadsText), z.literal("auto")], threadsText)
    .default("auto")
    .describe("threads of the engine"),
  accelerator: accelerator.prefault({}),
  data: data.prefault({}),
  model: model.prefault({}),
  base: base.prefault({}),
  groups: groups.prefault({}),
  guidance: guidance.prefault({}),
  validation: validation.prefault({}),
  tracking: tracking.prefault({}),
  samples: samples.prefault({}),
  evaluation: evaluation.prefault({}),
});

/** A whole, checked experiment. */
export type ExperimentConfig = z.output<typeof experimentSchema>;

/** Keys of both training sections. */
export type TrainingConfig = Omit<ExperimentConfig["base"], "skip">;

/** The schemas of the keys of the section at `path` ([] = the top level), or undefined when there is no such section. */
export function shapeAt(path: readonly PropertyKey[]): Record<string, z.ZodType> | undefined {
  let schema: unknown = experimentSchema;
  for (const key of path)
    schema = unwrap((unwrap(schema) as { shape?: Record<PropertyKey, unknown> }).shape?.[key]);
  return (unwrap(schema) as { shape?: Record<string, z.ZodType> } | undefined)?.shape;
}

/** Keys of the section at `path`, or undefined when there is no such section. */
export function keysAt(path: readonly PropertyKey[]): string[] | undefined {
  const shape = shapeAt(path);
  return shape && Object.keys(shape);
}
