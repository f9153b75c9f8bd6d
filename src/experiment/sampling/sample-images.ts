// Images of prompts from a model folder, one by one into a folder: resumable, and each with its line in manifest.jsonl.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { encodePng } from "../../data/index.ts";
import { writeFileAtomic } from "../../torch/atomic-file.ts";
import { UserError } from "../../torch/errors.ts";
import { diskFullError, isDiskFull } from "../disk-full.ts";
import { usePrecision } from "../accelerator.ts";
import { prepareEngine } from "../engine.ts";
import { inMemory, type ShortageAdvice } from "../memory-shortage.ts";
import { lockFolder } from "../run-lock.ts";
import { resolveThreads } from "../threads.ts";
import { packageVersion } from "../versions.ts";
import { GRID, writeGrid } from "./grid.ts";
import { sha256 } from "../hash.ts";
import { appendRecords, type ImageRecord, type ImageSource, rewriteRecords } from "./manifest.ts";
import type { SamplingNeeds } from "./needs.ts";
import { fingerprints, needsOf, openSamplingModel, samplingSize, type SamplingSize } from "./open-model.ts";
import { type ImageSettings, planImages, type PlannedImage } from "./plan.ts";
import type { SampleRequest } from "./request.ts";
import { checkSamplingOut, resumption } from "./resume.ts";

export interface SamplingPlan {
  readonly needs: SamplingNeeds;
  readonly settings: ImageSettings;
  readonly images: number;
  readonly kept: number;
}

export interface SampleOptions {
  readonly out: string;
  /** Replaces images that were made otherwise. */
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** What is going to happen, before the weights are loaded. */
  readonly onPlan?: (plan: SamplingPlan) => void;
  readonly onProgress?: (progress: { task: string; done: number; total: number }) => void;
}

export interface SampleResult {
  readonly out: string;
  readonly made: number;
  readonly kept: number;
  readonly grid: string;
  /** Seconds of denoising and decoding. */
  readonly seconds: number;
}

/**
 * Makes the images that are not there yet. Every finished image is on the disk before the next batch begins; when the
 * signal stops the work, the same call goes on from there.
 * Errors: UserError, CheckpointError, ConfigError for what does not fit; the signal's reason when stopped.
 */
export async function sampleImages(request: SampleRequest, options: SampleOptions): Promise<SampleResult> {
  const { out, force = false, signal, onPlan, onProgress = () => {} } = options;
  checkSamplingOut(out, { force });
  const torch = await prepareEngine({ device: request.device, threads: resolveThreads({ threads: "auto" }) });
  usePrecision(torch, request);
  const size = samplingSize(request);
  const plan = planImages(request);
  onProgress({ task: "reading the model", done: 0, total: plan.length });
  const hashes = await fingerprints(request, size);
  const sourceOf = ({ prompt, seed }: PlannedImage): ImageSource => ({
    ...{ prompt, seed, settings: size.settings },
    ...hashes,
  });
  makeFolder(out);
  using _lock = lockFolder(out);
  const { records, kept, toMake } = resumption(out, plan, { sourceOf, force });
  const needs = needsOf(request, size, toMake.length);
  onPlan?.({ needs, settings: size.settings, images: plan.length, kept: kept.length });
  // Ends a line that a crash cut off, before more are added.
  if (records.size > 0) rewriteRecords(out, records);
  const start = performance.now();
  try {
    if (toMake.length > 0) {
      const add = (made: readonly ImageRecord[]) => {
        for (const record of made) records.set(record.file, record);
        appendRecords(out, made);
      };
      const invdiff = packageVersion();
      const recordOf = (image: PlannedImage, png: Uint8Array): ImageRecord => ({
        ...{ file: image.file, index: image.index },
        ...sourceOf(image),
        ...{ model: request.model, guidance: request.guidance },
        ...{ sha256: sha256(png), invdiff },
      });
      const making: Making = {
        ...{ out, size, signal, add, recordOf },
        onDone: (done) => onProgress({ task: "sampling", done: kept.length + done, total: plan.length }),
      };
      await inMemory(shortageAdvice(request), () => make(request, toMake, making));
    }
    rewriteRecords(out, records);
    await writeGrid(out, plan);
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    throw diskFullError(error, { stage: "sample", folder: out });
  }
  return {
    ...{ out, made: toMake.length, kept: kept.length, grid: join(out, GRID) },
    seconds: (performance.now() - start) / 1000,
  };
}

const shortageAdvice = ({ batchSize, dtype, vaeTiling }: SampleRequest): ShortageAdvice => ({
  ...{ what: "Sampling", option: "--batch-size", size: batchSize },
  others: [
    ...(dtype === "float32" ? ["--dtype bfloat16"] : []),
    ...(vaeTiling ? [] : ["--vae-tiling (decoding only)"]),
  ],
});

function makeFolder(out: string): void {
  try {
    mkdirSync(out, { recursive: true });
  } catch (cause) {
    throw new UserError(`${out} cannot be made: ${(cause as Error).message}. Choose another --out.`, {
      cause,
    });
  }
}

interface Making {
  readonly out: string;
  readonly size: SamplingSize;
  readonly signal: AbortSignal | undefined;
  readonly add: (records: readonly ImageRecord[]) => void;
  readonly recordOf: (image: PlannedImage, png: Uint8Array) => ImageRecord;
  /** Told after every step, in images (a batch half done counts half). */
  readonly onDone: (images: number) => void;
}

async function make(request: SampleRequest, toMake: readonly PlannedImage[], making: Making): Promise<void> {
  const { out, size, signal, add, recordOf, onDone } = making;
  const { steps, guidanceScale, guidanceRescale, negativePrompt, clipSkip, eta, batchSize, vaeTiling } =
    request;
  using model = openSamplingModel(request, size);
  onDone(0);
  const batches = model.pipeline.batches({
    prompts: toMake.map(({ prompt }) => prompt),
    seeds: toMake.map(({ seed }) => seed),
    ...{ steps, guidanceScale, guidanceRescale, negativePrompt, clipSkip, eta, batchSize, vaeTiling },
    latentShape: size.latentShape,
    ...(signal ? { signal } : {}),
    onStep: ({ imagesDone, batch, step, steps: count }) => onDone(imagesDone + (batch * step) / (count + 1)),
  });
  for await (const { first, latents, images } of batches) {
    latents.dispose();
    const pictures = images!.unbind(0);
    const pngs = await Promise.all(pictures.map((picture) => encodePng(picture)));
    for (const tensor of [images!, ...pictures]) tensor.dispose();
    const planned = toMake.slice(first, first + pngs.length);
    // The line first: a file without one would not be known as ours.
    add(planned.map((image, i) => recordOf(image, pngs[i]!)));
    planned.forEach(({ file }, i) => writeFileAtomic(join(out, file), pngs[i]!));
    onDone(first + pngs.length);
  }
}
