// Runs a sampling request for the command: what it will do and need, progress, and where the images are.
import { resolve } from "node:path";
import {
  bytesText,
  freeDiskBytes,
  readPrompts,
  type SampleRequest,
  sampleImages,
  sampleRequest,
  type SamplingPlan,
} from "../experiment/index.ts";
import { UserError } from "../experiment/errors.ts";
import { session } from "./session.ts";
import { numberText } from "./text.ts";

/** A request under the command's names. */
type RequestOptions = Omit<Parameters<typeof sampleRequest>[0], "model" | "prompts" | "perPrompt"> & {
  model?: string | undefined;
  prompt?: readonly string[] | undefined;
  prompts?: string | undefined;
  num: number;
};

export type SampleCommandOptions = RequestOptions & { out: string; force?: boolean | undefined };

/** Errors: those of `sampleImages`; StoppedError when interrupted. */
export async function runSample({ out: folder, force, ...options }: SampleCommandOptions): Promise<void> {
  const request = requestOf(options);
  await session(async ({ signal, progress, note }) => {
    const { made, kept, grid, seconds, out } = await sampleImages(request, {
      ...{ out: folder, force, signal },
      onPlan: (plan) => note(planText(request, plan, folder)),
      onProgress: (report) => progress({ stage: "sample", unit: "images", ...report }),
    });
    note("");
    const rate = made > 0 ? ` (${(made / seconds).toPrecision(2)} images/s)` : "";
    const stayed = kept > 0 ? `, ${numberText(kept)} were there already` : "";
    console.log(`Made ${imagesText(made)}${rate}${stayed}: ${out}\nGrid: ${grid}`);
  });
}

function requestOf({ model, prompt, prompts: file, num, ...options }: RequestOptions): SampleRequest {
  if (model === undefined)
    throw new UserError("sample needs --model DIR, a model folder in the diffusers layout.");
  if (prompt !== undefined && file !== undefined)
    throw new UserError("sample takes --prompt or --prompts, not both.");
  const prompts = file === undefined ? [...(prompt ?? [])] : readPrompts(file);
  return sampleRequest({ ...options, model, prompts, perPrompt: num });
}

function planText(
  request: SampleRequest,
  { settings, images, kept, needs }: SamplingPlan,
  out: string,
): string {
  const { prompts, perPrompt, model, guidance, device, seed, batchSize } = request;
  const { width, height, steps, scheduler, timestepSpacing, guidanceScale, strength, dtype } = settings;
  const what =
    prompts.length === 1 ? `"${prompts[0]}"` : `${numberText(prompts.length)} prompts x ${perPrompt}`;
  const guided = guidance === undefined ? "" : ` + ${guidance} at strength ${strength}`;
  const free = freeDiskBytes(out);
  const seeds = images === 1 ? `seed ${seed}` : `seeds ${seed} to ${seed + images - 1}`;
  const lines = [
    `${imagesText(images)} of ${width} x ${height}: ${what}, ${seeds}`,
    `${model}${guided}: ${scheduler}, ${steps} steps (${timestepSpacing}), guidance scale ${guidanceScale}, ${dtype} on ${device}, batches of ${batchSize}`,
    `needs about ${bytesText(needs.memory)} of memory (weights ${bytesText(needs.weights)}) and ${bytesText(needs.disk)} of disk` +
      (free === undefined ? "" : ` (${bytesText(free)} free)`),
    `-> ${resolve(out)}${kept > 0 ? `: ${numberText(kept)} are there already, ${numberText(images - kept)} to make` : ""}`,
  ];
  return lines.join("\n");
}

const imagesText = (count: number): string => `${numberText(count)} ${count === 1 ? "image" : "images"}`;
