// The schema of an experiment: every key, its bounds and its default, in one place. `quickstart` is the defaults alone.
import { z } from "zod";
import { SAMPLING_SCHEDULERS } from "./sampling/choices.ts";

// Every message is the text after "expected": what a right value looks like.
const bounds = (min: number, max: number) =>
  max === Infinity ? `of at least ${min}` : `from ${min} to ${max}`;

const int = (min: number, max = Infinity) => {
  const text = `a whole number ${bounds(min, max)}`;
  const base = z.int(text).min(min, text);
  return max === Infinity ? base : base.max(max, text);
};

const number = (min: number, max = Infinity) => {
  const text = `a number ${bounds(min, max)}`;
  const base = z.number(text).min(min, text);
  return max === Infinity ? base : base.max(max, text);
};

const positive = () => z.number("a number above 0").positive("a number above 0");
const text = () => z.string("text").min(1, "text that is not empty");
const flag = () => z.boolean("true or false");
const choice = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, values.length === 1 ? `"${values[0]}"` : `one of ${values.join(", ")}`);

const section = <T extends z.ZodRawShape>(shape: T) =>
  z.strictObject(shape, {
    error: (issue) => (issue.code === "invalid_type" ? "a section with keys of its own" : undefined),
  });

const data = section({
  /** "birds": the procedural data set, drawn by the run; "folder": your own images. */
  kind: choice(["birds", "folder"]).default("birds"),
  /** Image folder with metadata.jsonl; needed for "folder". */
  path: text().optional(),
  captionColumn: text().optional(),
  /** A further image folder, balanced, for the evaluation. */
  validationPath: text().optional(),
  train: int(16, 1_000_000).default(4000),
  validation: int(0, 1_000_000).default(1200),
  balance: number(0, 1).default(0.9),
  resolution: z
    .int("a multiple of 8 from 8 to 2048")
    .min(8, "a multiple of 8 from 8 to 2048")
    .max(2048, "a multiple of 8 from 8 to 2048")
    .multipleOf(8, "a multiple of 8 from 8 to 2048")
    .default(64),
});

const model = section({
  /** Model folder in the diffusers layout; default: the small model that comes with this package. */
  path: text().optional(),
  /** Default: "scratch" when the folder has no U-Net weights. */
  unet: choice(["pretrained", "scratch"]).optional(),
});

const base = section({
  steps: int(1).default(2000),
  batchSize: int(1, 65_536).default(32),
  learningRate: positive().default(1e-3),
  warmup: int(0).default(100),
  /** Share of captions that are replaced by "", which classifier-free guidance needs. */
  captionDropout: number(0, 1).default(0.1),
  weightDecay: number(0).default(0.01),
  maxGradNorm: positive().default(1),
  /** Decay of the averaged weights; 0 = none. */
  ema: number(0, 0.999999).default(0.995),
  checkpointEvery: int(1).default(250),
  schedule: choice(["constant", "constant_with_warmup", "linear", "cosine"]).default("cosine"),
  /** true: the model's own U-Net already is the biased base. */
  skip: flag().default(false),
});

const groups = section({
  method: choice(["inferred", "oracle", "reference"]).default("inferred"),
  signal: choice(["profile", "single", "reference"]).default("profile"),
  solver: choice(["mixture", "spread"]).default("mixture"),
  timesteps: z
    .array(int(0), "a list of timesteps such as [700, 900]")
    .min(1, "at least one timestep")
    .refine((list) => new Set(list).size === list.length, "timesteps that differ from each other")
    .default([700, 850, 950, 999]),
  noises: int(1, 1000).default(1),
  /** What the profile compares an image's loss with: its loss under the empty caption, or nothing. */
  contrast: choice(["empty-caption", "none"]).default("empty-caption"),
  count: int(2, 64).default(2),
  batchSize: int(1, 65_536).default(256),
  /** Column with the true labels; read by method "oracle" only. */
  oracleColumn: text().default("place"),
});

const guidance = section({
  form: choice(["difference", "residual", "blend"]).default("difference"),
  module: choice(["lora", "copy"]).default("lora"),
  rank: int(1, 4096).default(8),
  steps: int(1).default(700),
  batchSize: int(1, 65_536).default(32),
  learningRate: positive().default(2e-3),
  warmup: int(0).default(50),
  /** Weight of the variance of the group losses. */
  lambda: number(0).default(1),
  strength: number(0).default(1),
  /** Share of the module in the "blend" form. */
  ratio: number(0, 1).default(0.5),
  /** Share of each batch whose timesteps are drawn from `highNoiseFrom` upwards only: there the bias is decided. */
  highNoiseShare: number(0, 1).default(0.5),
  highNoiseFrom: int(0).default(600),
  ema: number(0, 0.999999).default(0.98),
  checkpointEvery: int(1).default(250),
  maxGradNorm: positive().default(1),
  weightDecay: number(0).default(0),
});

const samples = section({
  /** Default: the distinct captions of the data, if they are 8 at most. */
  prompts: z.array(text(), "a list of prompts").min(1, "at least one prompt").optional(),
  perPrompt: int(1, 1_000_000).default(256),
  steps: int(1, 1000).default(25),
  guidanceScale: number(0).default(1.5),
  seed: int(0).default(1000),
  batchSize: int(1, 65_536).default(64),
  scheduler: choice(SAMPLING_SCHEDULERS).default("ddim"),
});

const evaluation = section({
  /** Column that the caption names; default "subject" for birds, none for a folder. */
  subjectColumn: text().optional(),
  /** Column of the attribute that no caption names; default "place" for birds, none for a folder. */
  hiddenColumn: text().optional(),
  classifierSteps: int(1).default(300),
  bootstrap: int(1, 1_000_000).default(2000),
});

const deviceText = '"cpu", "cuda" or a numbered device such as "cuda:1"';
const threadsText = '"auto" or a whole number from 1 to 1024';

/** Schema of a whole experiment; absent sections take their defaults. */
export const experimentSchema = section({
  name: text().default("birds"),
  seed: int(0, 2 ** 32 - 1).default(0),
  device: z
    .string(deviceText)
    .regex(/^(cpu|cuda(:\d+)?)$/, deviceText)
    .default("cpu"),
  threads: z
    .union([z.int(threadsText).min(1, threadsText).max(1024, threadsText), z.literal("auto")], threadsText)
    .default("auto"),
  data: data.prefault({}),
  model: model.prefault({}),
  base: base.prefault({}),
  groups: groups.prefault({}),
  guidance: guidance.prefault({}),
  samples: samples.prefault({}),
  evaluation: evaluation.prefault({}),
});

/** A whole, checked experiment. */
export type ExperimentConfig = z.output<typeof experimentSchema>;

/** Keys of the section at `path` ([] = the top level), or undefined when there is no such section. */
export function keysAt(path: readonly PropertyKey[]): string[] | undefined {
  let schema: unknown = experimentSchema;
  for (const key of path)
    schema = unwrap((unwrap(schema) as { shape?: Record<PropertyKey, unknown> }).shape?.[key]);
  const shape = (unwrap(schema) as { shape?: object } | undefined)?.shape;
  return shape && Object.keys(shape);
}

/** A schema without its default or "optional" wrapper. */
function unwrap(schema: unknown): unknown {
  let inner = schema;
  while (inner instanceof z.ZodPrefault || inner instanceof z.ZodDefault || inner instanceof z.ZodOptional)
    inner = inner.def.innerType;
  return inner;
}
