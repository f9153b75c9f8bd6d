// Finished images of any number of models against each other and against reference images, without an experiment around
// them: what `invdiff evaluate --samples` does.
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";

import { openDataset } from "../../data/dataset.ts";
import { decodeImage } from "../../data/index.ts";
import { libtorchVersion, UserError, writeFileAtomic } from "../../torch/index.ts";
import type { ExperimentConfig } from "../config-schema.ts";
import { usePrecision } from "../accelerator.ts";
import { prepareEngine } from "../engine.ts";
import { isMarked, visibleNames } from "../out-folder.ts";
import { type MetricTableJson, reportJson, type ReportData } from "../report/index.ts";
import { writeReportFiles } from "../report-files.ts";
import type { StageContext } from "../stage.ts";
import { DIVERSE_OUTPUTS } from "../stages/baselines.ts";
import { resolveThreads } from "../threads.ts";
import { packageVersion } from "../versions.ts";
import { classifierPlaces } from "./classifier-places.ts";
import { comparisonReport } from "./comparison-report.ts";
import { evaluateModels } from "./evaluate-models.ts";
import { fileImages } from "./image-set.ts";
import { type AttributeJudge, placeJudge } from "./judge.ts";
import type { JudgedModel } from "./models.ts";
import { findNetworks, hashOfPlace } from "./networks.ts";
import { pixelFeatures } from "./pixel-features.ts";
import { type SampledImage, sampledImages } from "./sample-folder.ts";

export interface ComparisonRequest {
  /** Models in the order of the table; the first one, or the one called "base", is what the others are compared with. */
  readonly models: readonly { readonly label: string; readonly dir: string }[];
  /** Image folder that the generated images should be like. */
  readonly reference?: string | undefined;
  /** Folder of the report and the features. */
  readonly out: string;
  readonly settings: Pick<ExperimentConfig, "evaluation" | "seed" | "device" | "accelerator" | "threads">;
  readonly reproduce: readonly string[];
  /** Writes into a folder with other files. */
  readonly force?: boolean | undefined;
}

export type ComparisonContext = Partial<Pick<StageContext, "signal" | "progress" | "note">>;

/** Folder of the features in it. */
const FEATURES = "features";

/**
 * Measures and writes report.html, report.md and evaluation.json into `out`, replacing older ones of its own.
 * Errors: DataError for folders without images, UserError for models without a prompt in common; those of `evaluateModels`.
 */
export async function compareSamples(
  request: ComparisonRequest,
  context: ComparisonContext = {},
): Promise<MetricTableJson> {
  const { settings, reference, out } = request;
  const { device, seed, evaluation } = settings;
  const started = performance.now();
  checkOut(out, request.force);
  const torch = await prepareEngine({ device, threads: resolveThreads(settings) });
  usePrecision(torch, settings.accelerator, { exact: true });
  const found = request.models.map(({ label, dir }) => ({
    label,
    images: withoutAddition(sampledImages(dir)),
  }));
  const prompts = commonPrompts(found, context);
  const keys = keysOf(found.map(({ label }) => label));
  const { size, cautions } = await commonSize(found);
  // All that may be wrong with what was named is seen before anything is written.
  using judges = await openPlaces(evaluation.classifiers, device);
  const files = reference === undefined ? [] : await referenceFiles(reference);
  const folder = join(out, FEATURES);
  const hashing = hashProgress(context, folder);
  const models: JudgedModel[] = [];
  for (const [m, { label, images }] of found.entries()) {
    const own = images
      .filter(({ prompt }) => prompts.includes(prompt))
      .sort((a, b) => prompts.indexOf(a.prompt) - prompts.indexOf(b.prompt));
    const files = own.map(({ file }) => file);
    models.push({
      ...{ key: keys[m]!, label, description: request.models[m]!.dir },
      images: await fileImages(files, size, hashing(label)),
      promptOf: Int32Array.from(own, ({ prompt }) => prompts.indexOf(prompt)),
      pairs: own.map(({ prompt, pair }) => `${prompt}\n${pair}`),
    });
  }
  const table = await evaluateModels(
    {
      ...{ models, prompts, settings: evaluation, seed, device, subject: undefined },
      fallback: () => Promise.resolve(pixelFeatures()),
      reference:
        reference === undefined
          ? undefined
          : {
              images: await fileImages(files, size, hashing("reference")),
              text: `${files.length} images of ${reference}, cropped to ${size} pixels`,
            },
      hidden: judges.all,
      networks: await findNetworks(evaluation),
      folder,
    },
    context,
  );
  const data: ReportData = {
    ...(await comparisonReport({
      models,
      prompts,
      table: { ...table, warnings: [...cautions, ...table.warnings] },
      sampled: found,
      settings: request.settings,
    })),
    totalSeconds: Math.round((performance.now() - started) / 10) / 100,
    versions: { invdiff: packageVersion(), node: process.versions.node, libtorch: libtorchVersion() },
    reproduce: request.reproduce,
  };
  const json = reportJson(data);
  mkdirSync(out, { recursive: true });
  await writeReportFiles(out, data);
  writeFileAtomic(join(out, "evaluation.json"), `${JSON.stringify(json, null, 2)}\n`);
  return json;
}

/** Errors: UserError for a file, or without `force` for a folder with files that no comparison of ours made. */
function checkOut(out: string, force = false): void {
  const kind = statSync(out, { throwIfNoEntry: false });
  if (kind && !kind.isDirectory())
    throw new UserError(`${out} is a file; expected a folder for the report, or a name that is free.`);
  const { names, some } = kind ? visibleNames(out) : { names: [], some: "" };
  // Features alone are those of an interrupted comparison.
  if (
    force ||
    names.every((name) => name === FEATURES) ||
    isMarked(out, "evaluation.json", "invdiff-metrics")
  )
    return;
  throw new UserError(
    `${out} exists and holds other files (${some}), none of them a comparison's, so nothing is written there. Choose another --out, or write beside them (--force).`,
  );
}

/** "base" keeps its meaning for the report; other labels become keys of their own, all different. */
function keysOf(labels: readonly string[]): string[] {
  const keys: string[] = [];
  for (const label of labels) {
    const wanted = label.toLowerCase() === "base" ? "base" : label.trim().replace(/\s+/g, "-") || "model";
    let key = wanted;
    for (let n = 2; keys.includes(key); n++) key = `${wanted}-${n}`;
    keys.push(key);
  }
  return keys;
}

/** The largest square that every model's images have, by the first one of each. Errors: those of `decodeImage`. */
async function commonSize(
  models: readonly { readonly label: string; readonly images: readonly SampledImage[] }[],
) {
  const sizes = await Promise.all(models.map(({ images }) => decodeImage(images[0]!.file)));
  const size = Math.min(...sizes.flatMap(({ width, height }) => [width, height]));
  const all = sizes.map(({ width, height }, m) => `${models[m]!.label} ${width} x ${height}`);
  const cautions = sizes.every(({ width, height }) => width === size && height === size)
    ? []
    : [
        `Not all images are squares of one size (${all.join(", ")}): they are compared at ${size} x ${size} pixels, cut from the middle.`,
      ];
  return { size, cautions };
}

/** Images that were asked for diversity are compared under the prompt that they vary. */
const withoutAddition = (images: readonly SampledImage[]): SampledImage[] =>
  images.map(({ prompt, ...image }) => ({
    ...image,
    prompt: prompt.endsWith(DIVERSE_OUTPUTS) ? prompt.slice(0, -DIVERSE_OUTPUTS.length) : prompt,
  }));

/** Prompts that every model was asked, in the order of the first one. */
function commonPrompts(
  models: readonly { readonly label: string; readonly images: readonly SampledImage[] }[],
  { note }: ComparisonContext,
): string[] {
  const all = [...new Set(models.flatMap(({ images }) => images.map(({ prompt }) => prompt)))];
  const common = all.filter((prompt) =>
    models.every(({ images }) => images.some((own) => own.prompt === prompt)),
  );
  if (common.length === 0)
    throw new UserError(
      `The models have no prompt in common: ${models
        .map(({ label, images }) => `${label} has "${images[0]!.prompt}"`)
        .join(", ")}. Sample all of them with the same prompts.`,
    );
  if (common.length < all.length)
    note?.(
      `${all.length - common.length} of ${all.length} prompts are left out: not every model has images of them.`,
    );
  return common;
}

const hashProgress =
  ({ signal, progress }: ComparisonContext, folder: string) =>
  (label: string) => ({
    ...{ signal, folder },
    onProgress: (done: number, total: number) =>
      progress?.({ task: `looking at ${label}`, done, total, unit: "images" }),
  });

/** No captions are needed here. Errors: those of `openDataset`. */
async function referenceFiles(folder: string): Promise<string[]> {
  const set = await openDataset(folder);
  return Array.from({ length: set.length }, (_, i) => set.item(i).file);
}

interface OpenJudges extends Disposable {
  readonly all: readonly AttributeJudge[];
}

async function openPlaces(entries: readonly string[] | undefined, device: string): Promise<OpenJudges> {
  const all: AttributeJudge[] = [];
  const release = (): void => {
    for (const { network } of all) network[Symbol.dispose]();
  };
  try {
    for (const place of classifierPlaces(entries))
      all.push(placeJudge(place, { hash: await hashOfPlace(place.path), device }));
  } catch (error) {
    release();
    throw error;
  }
  return { all, [Symbol.dispose]: release };
}
