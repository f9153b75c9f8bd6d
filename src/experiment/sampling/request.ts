// What `invdiff sample` is asked for: images of prompts from a model folder, with or without a guidance module.
import { z } from "zod";
import { UserError } from "../../torch/errors.ts";
import { accelerator } from "../config-accelerator.ts";
import { SAMPLING_DTYPES, SAMPLING_SCHEDULERS, TIMESTEP_SPACINGS } from "./choices.ts";

const text = z.string();
const whole = (min: number) => z.int().min(min);
const share = z.number().min(0).max(1);

export const sampleRequestSchema = z.strictObject({
  model: text.min(1).describe("model folder in diffusers' layout"),
  variant: text.min(1).optional().describe("variant of the weights, such as fp16"),
  guidance: text
    .min(1)
    .optional()
    .describe("guidance: a stage folder, a run, an InvDiff checkpoint, LoRA weights"),
  strength: z.number().optional().describe("strength of the guidance; default: the one it was trained with"),
  prompts: z.array(text).min(1).describe("what to paint"),
  perPrompt: whole(1).default(1).describe("images per prompt"),
  seed: whole(0).default(0).describe("seed of the first image; image i has seed + i"),
  steps: whole(1).default(50).describe("denoising steps"),
  guidanceScale: z.number().default(7.5).describe("classifier-free guidance; 1 is none"),
  guidanceRescale: share.default(0).describe("share of the rescaled guided prediction (for zero-SNR models)"),
  scheduler: z.enum(SAMPLING_SCHEDULERS).optional().describe("sampler; default: the model folder's own"),
  timestepSpacing: z
    .enum(TIMESTEP_SPACINGS)
    .optional()
    .describe("where the timesteps lie; default: the scheduler's own"),
  negativePrompt: text.default("").describe("what not to paint"),
  clipSkip: whole(0).default(0).describe("layers of the text encoder left out at its end"),
  eta: share.default(0).describe("DDIM's eta: 0 adds no noise, 1 as much as DDPM"),
  height: whole(1).optional().describe("pixels; default: the model's own size"),
  width: whole(1).optional().describe("pixels; default: the model's own size"),
  dtype: z.enum(SAMPLING_DTYPES).default("float32").describe("precision of the networks"),
  device: text.default("cpu").describe("cpu, cuda or cuda:N"),
  ...accelerator.shape,
  vaeTiling: z.boolean().default(false).describe("decode in overlapping tiles"),
  batchSize: whole(1).default(1).describe("images denoised together: bounds the memory"),
});

export type SampleRequest = z.output<typeof sampleRequestSchema>;

/** A checked request with all defaults. Errors: UserError naming every option that does not fit. */
export function sampleRequest(given: z.input<typeof sampleRequestSchema>): SampleRequest {
  const result = sampleRequestSchema.safeParse(given);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    ({ path, message }) => `${path.join(".")}: ${message} (given: ${JSON.stringify(valueAt(given, path))})`,
  );
  throw new UserError(`These options do not fit:\n  ${problems.join("\n  ")}`);
}

const valueAt = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((part, key) => (part as Record<PropertyKey, unknown> | undefined)?.[key], value);
