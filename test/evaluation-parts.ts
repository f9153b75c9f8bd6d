// Parts of evaluation tests: pictures that carry a class, networks and judges that can be calculated by hand, sample folders.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Random, savePng } from "../src/data/index.ts";
import { type ImageSet, tensorImages } from "../src/experiment/evaluation/image-set.ts";
import type { AttributeJudge, JudgeQuality } from "../src/experiment/evaluation/judge.ts";
import type { JudgedModel } from "../src/experiment/evaluation/models.ts";
import { sha256 } from "../src/experiment/hash.ts";
import { appendRecords } from "../src/experiment/sampling/manifest.ts";
import { promptFolder } from "../src/experiment/stages/samples.ts";
import type { FeatureNetwork } from "../src/metrics/index.ts";
import { keep, scope, type Tensor, tensor } from "../src/torch/index.ts";

/** Noise of a seed, uint8 [classes, 3, size, size], whose first pixel's red is the picture's class. */
export function picturesOf(classes: readonly number[], { seed = 0, size = 8 } = {}): Tensor {
  const each = 3 * size * size;
  const random = new Random("evaluation parts", seed);
  const values = Uint8Array.from({ length: classes.length * each }, (_, i) =>
    i % each === 0 ? classes[i / each]! : random.int(256),
  );
  return keep(tensor(values, { shape: [classes.length, 3, size, size] }));
}

export interface CountingNetwork extends FeatureNetwork {
  /** Pictures of each call so far. */
  readonly calls: number[];
  released: number;
}

/** Features: the red of the first pixel, and the means of the three channels. */
export function countingNetwork(name = "means", onCall: (call: number) => void = () => {}): CountingNetwork {
  const calls: number[] = [];
  const network: CountingNetwork = {
    ...{ kind: "pixels", name, dimensions: 4, key: sha256(name), calls, released: 0 },
    features(images) {
      onCall(calls.push(images.shape[0]!));
      return meansOf(images);
    },
    [Symbol.dispose]() {
      network.released++;
    },
  };
  return network;
}

/** What `countingNetwork` gives. */
export function meansOf(images: Tensor): Tensor {
  const [count = 0, , height = 0, width = 0] = images.shape;
  const values = images.toNumbers();
  const area = height * width;
  const rows = Array.from({ length: count }, (_, i) => {
    const own = values.slice(3 * area * i, 3 * area * (i + 1));
    const means = [0, 1, 2].map((c) => own.slice(c * area, (c + 1) * area).reduce((a, b) => a + b, 0) / area);
    return [own[0]!, ...means];
  });
  return keep(scope(() => tensor(Float32Array.from(rows.flat()), { shape: [count, 4] })));
}

/** Reads the class out of the first pixel, with probability 0.75. */
export function pixelJudge(
  column: string,
  values: readonly string[],
  { quality, network = countingNetwork() }: { quality?: JudgeQuality; network?: FeatureNetwork } = {},
): AttributeJudge {
  return {
    ...{ column, values, network, quality, architecture: "first pixel" },
    predictions(features) {
      const rows = features.toNumbers();
      const classes = Int32Array.from({ length: features.shape[0]! }, (_, i) => rows[4 * i]!);
      const rest = 0.25 / (values.length - 1);
      const probabilities = Float32Array.from({ length: classes.length * values.length }, (_, i) =>
        classes[Math.floor(i / values.length)] === i % values.length ? 0.75 : rest,
      );
      return { classes, probabilities };
    },
  };
}

const NO_IMAGES: ImageSet = { keys: [], load: () => Promise.reject(new Error("no images here")) };

/** A model with images of prompts, ascending; pairs are the images' places unless they are given. */
export function modelOf(
  key: string,
  promptOf: readonly number[],
  { images, pairs }: { images?: Tensor; pairs?: readonly string[] } = {},
): JudgedModel {
  return {
    ...{ key, label: `The ${key} one`, description: `${key} it is` },
    images: images ? tensorImages(images) : NO_IMAGES,
    promptOf: Int32Array.from(promptOf),
    pairs: pairs ?? promptOf.map((_, i) => String(i)),
  };
}

/** The pictures of a prompt by their classes. */
export type PromptClasses = Readonly<Record<string, readonly number[]>>;

interface FolderOptions {
  readonly seed?: number;
  readonly size?: number;
}

async function savePictures(
  files: readonly string[],
  classes: readonly number[],
  options: FolderOptions,
): Promise<void> {
  using images = picturesOf(classes, options);
  for (const [i, file] of files.entries()) {
    using picture = images.select(0, i);
    await savePng(file, picture);
  }
}

/** The reference's layout: a folder per prompt, pictures counted through all of them. */
export async function writePromptFolders(
  dir: string,
  prompts: PromptClasses,
  { seed = 0, size = 16 }: FolderOptions = {},
): Promise<void> {
  let index = 0;
  for (const [p, [prompt, classes]] of Object.entries(prompts).entries()) {
    mkdirSync(join(dir, prompt), { recursive: true });
    const files = classes.map(() => join(dir, prompt, `${index++}_image.png`));
    await savePictures(files, classes, { seed: 100 * seed + p, size });
  }
}

/** As `invdiff sample` leaves them. */
export async function writeManifestFolder(
  dir: string,
  prompts: PromptClasses,
  { seed = 0, size = 16 }: FolderOptions = {},
): Promise<void> {
  mkdirSync(dir, { recursive: true });
  let index = 0;
  for (const [p, [prompt, classes]] of Object.entries(prompts).entries()) {
    const records = classes.map((_, i) => ({
      ...{ file: `${p}-${i}.png`, prompt, index: index++, seed: 7 + index, settings: {} as never },
      ...{ modelHash: "0", model: "m", sha256: "0".repeat(64), invdiff: "0" },
    }));
    await savePictures(
      records.map(({ file }) => join(dir, file)),
      classes,
      { seed: 100 * seed + p, size },
    );
    appendRecords(dir, records);
  }
}

/** As a samples stage leaves them; every prompt has as many. */
export async function writeStageFolder(
  dir: string,
  prompts: PromptClasses,
  { seed = 0, size = 16 }: FolderOptions = {},
): Promise<void> {
  const entries = Object.entries(prompts);
  for (const [p, [prompt, classes]] of entries.entries()) {
    const folder = join(dir, "images", promptFolder(prompt, p));
    mkdirSync(folder, { recursive: true });
    const files = classes.map((_, i) => join(folder, `${String(i).padStart(4, "0")}.png`));
    await savePictures(files, classes, { seed: 100 * seed + p, size });
  }
  const summary = { prompts: Object.keys(prompts), perPrompt: entries[0]![1].length, firstSeed: 8 };
  writeFileSync(join(dir, "samples.json"), JSON.stringify(summary));
}
