// The pictures of all parts, and what the best weights make of them.
import { join } from "node:path";
import { loadResnet } from "../../models/index.ts";
import { writeFileAtomic } from "../../torch/atomic-file.ts";
import type { Progress } from "../stage.ts";
import type { ClassifierFile, SplitMetrics } from "./classifier-file.ts";
import { confusionPng } from "./confusion-picture.ts";
import type { LabelledPart, LabelledSet } from "./labels.ts";
import { measure } from "./measure.ts";
import { CONFUSION } from "./out-folder.ts";
import { type LabelledPictures, openPictures } from "./pictures.ts";
import type { TrainClassifierRequest } from "./request.ts";

/** How long work is stopped and watched. */
export interface Watching {
  readonly signal?: AbortSignal | undefined;
  readonly progress: (progress: Omit<Progress, "stage">) => void;
}

export type Parts = Record<"train" | "validation", LabelledPictures> & {
  test: LabelledPictures | undefined;
} & Disposable;

/** All parts share the memory bound, so that either all pictures are kept or none. */
export function openParts(
  set: LabelledSet,
  { imageSize: size }: TrainClassifierRequest,
  kept: boolean,
): Parts {
  const open = ({ files, labels }: LabelledPart): LabelledPictures => ({
    labels,
    pictures: openPictures(files, { size, kept }),
  });
  const [train, validation, test] = [open(set.train), open(set.validation), set.test && open(set.test)];
  return {
    ...{ train, validation, test },
    [Symbol.dispose]() {
      for (const part of [train, validation, test]) part?.pictures[Symbol.dispose]();
    },
  };
}

/** The best weights on every part. */
export async function judge(
  weights: string,
  parts: Parts,
  { request: { device, batchSize }, signal, progress }: Watching & { request: TrainClassifierRequest },
): Promise<ClassifierFile["metrics"]> {
  using model = loadResnet(weights, { device });
  const on = async (name: string, part: LabelledPictures): Promise<SplitMetrics> =>
    await measure(model, part, {
      ...{ device, batchSize, signal },
      onImages: (done) =>
        progress({ task: `judging on ${name}`, done, total: part.labels.length, unit: "images" }),
    });
  const train = await on("train", parts.train);
  const validation = await on("validation", parts.validation);
  return { train, validation, ...(parts.test && { test: await on("test", parts.test) }) };
}

export async function writeConfusion(
  out: string,
  { column, values }: LabelledSet,
  { validation, test }: ClassifierFile["metrics"],
): Promise<void> {
  const { confusion: counts, images } = test ?? validation;
  const title = `${column}: ${images.toLocaleString("en-US")} ${test ? "test" : "validation"} images`;
  writeFileAtomic(join(out, CONFUSION), await confusionPng({ title, values, counts }));
}
