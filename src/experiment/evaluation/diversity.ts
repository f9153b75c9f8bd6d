// How different the images of one prompt are from each other: LPIPS, or the distance of their features where it is missing.
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";

import { type BootstrapOptions, diversityEstimate, imagePairs, type Lpips } from "../../metrics/index.ts";
import { scope, type Tensor, upsampleBilinear2dAa, writeFileAtomic } from "../../torch/index.ts";
import { hashJson } from "../hash.ts";
import type { ReportMetric } from "../report/index.ts";
import { rowsOf } from "./image-set.ts";
import type { JudgedModel, WorkContext } from "./models.ts";

/** Larger images are made smaller first: the pairs of 32 images of 512 pixels would take minutes on a processor. */
const LARGEST = 256;

/** The first images of each prompt: [prompts][images]. A prompt of one image has no pairs and is left out. */
export const chosenImages = (
  { promptOf }: Pick<JudgedModel, "promptOf">,
  prompts: number,
  images: number,
): number[][] =>
  Array.from({ length: prompts }, (_, p) =>
    Array.from(promptOf.keys())
      .filter((i) => promptOf[i] === p)
      .slice(0, images),
  ).filter((rows) => rows.length > 1);

export interface LpipsOptions extends WorkContext {
  /** Where distances are kept, under the network and the pictures. */
  readonly folder: string;
  /** SHA-256 of the network's weights. */
  readonly hash: string;
}

/**
 * LPIPS of all pairs: [model][prompt][pair]; those of pictures seen before are read. `open` is called when some are not.
 * Errors: those of opening and of loading the images; the signal's reason.
 */
export async function lpipsDistances(
  open: () => Lpips,
  models: readonly JudgedModel[],
  chosen: readonly (readonly (readonly number[])[])[],
  { folder, hash, signal, progress }: LpipsOptions,
): Promise<ArrayLike<number>[][]> {
  let network: Lpips | undefined;
  const total = chosen.flat().length;
  let done = 0;
  const all: ArrayLike<number>[][] = [];
  try {
    for (const [m, { images, label }] of models.entries()) {
      const own: ArrayLike<number>[] = [];
      for (const rows of chosen[m]!) {
        signal?.throwIfAborted();
        const keys = rows.map((row) => images.keys[row]!);
        const place = join(folder, "lpips", `${hashJson({ hash, keys, largest: LARGEST, version: 1 })}.json`);
        const known = readDistances(place, rows.length);
        if (known) own.push(known);
        else {
          network ??= open();
          using pictures = await images.load(rows);
          const distances = scope(() => network!.pairDistances(smaller(pictures)));
          mkdirSync(dirname(place), { recursive: true });
          writeFileAtomic(place, JSON.stringify([...distances]));
          own.push(distances);
        }
        progress?.({ task: `LPIPS of ${label}`, done: ++done, total, unit: "prompts" });
        await nextTurn();
      }
      all.push(own);
    }
  } finally {
    network?.[Symbol.dispose]();
  }
  return all;
}

/** Distances of the pairs of so many pictures; undefined when there is no such file, or a broken one. */
function readDistances(path: string, images: number): Float32Array | undefined {
  try {
    const values: unknown = JSON.parse(readFileSync(path, "utf8"));
    const isWhole = Array.isArray(values) && values.length === (images * (images - 1)) / 2;
    return isWhole && values.every(Number.isFinite) ? Float32Array.from(values as number[]) : undefined;
  } catch {
    return undefined;
  }
}

function smaller(pictures: Tensor): Tensor {
  const [, , height = 0, width = 0] = pictures.shape;
  const longest = Math.max(height, width);
  if (longest <= LARGEST) return pictures;
  const size = [height, width].map((side) => Math.max(1, Math.round((side * LARGEST) / longest)));
  return upsampleBilinear2dAa(pictures, size, false);
}

/** Euclidean distances of all pairs of rows, divided by the root of the dimensions: [model][prompt][pair]. */
export const featureDistances = (
  features: readonly Tensor[],
  chosen: readonly (readonly (readonly number[])[])[],
): ArrayLike<number>[][] =>
  features.map((table, m) =>
    chosen[m]!.map((rows) => {
      using own = rowsOf(table, rows);
      return scope(() => distancesOf(own));
    }),
  );

function distancesOf(rows: Tensor): Float64Array {
  const [count = 0, dimensions = 1] = rows.shape;
  const values = rows.to("float64").contiguous().toArray() as Float64Array;
  return Float64Array.from(imagePairs(count), ([i, j]) => {
    let sum = 0;
    for (let d = 0; d < dimensions; d++)
      sum += (values[i * dimensions + d]! - values[j * dimensions + d]!) ** 2;
    return Math.sqrt(sum / dimensions);
  });
}

/** Row of the diversity; `distances` of all pairs i < j of a prompt's images: [model][prompt][pair]. */
export function diversityRow(
  row: Pick<ReportMetric, "key" | "label" | "featureSpace">,
  distances: readonly (readonly ArrayLike<number>[])[],
  options: BootstrapOptions,
): ReportMetric {
  const all = distances.map((own) => (own.length > 0 ? diversityEstimate(own, options) : undefined));
  return {
    ...row,
    what: "How different the images of one prompt are from each other, on average over the pairs.",
    better: "higher",
    digits: 3,
    values: all.map((own) => own?.overall),
  };
}
