// Stage "classifiers": attribute classifiers for the evaluation, trained on balanced real images, judged on held-out ones.
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";

import { readEvaluationColumns } from "../../data/evaluation-columns.ts";
import { fromModelRange, loadImages, Random, shuffledBatches, toModelRange } from "../../data/index.ts";
import { classificationReport, type Interval, largestInRows, shareEstimate } from "../../metrics/index.ts";
import { ResnetClassifier, saveClassifier } from "../../models/index.ts";
import { AdamW, clipGradNorm_, lrSchedule } from "../../nn/index.ts";
import {
  crossEntropyLoss,
  DataError,
  keep,
  scope,
  type Tensor,
  tensor,
  upload,
  writeFileAtomic,
} from "../../torch/index.ts";
import { type ExperimentConfig, hiddenColumns } from "../config.ts";
import { classifierPlaces } from "../evaluation/classifier-places.ts";
import { hashJson } from "../hash.ts";
import type { Stage, StageContext } from "../stage.ts";
import { dataNeeds, folderItems, validationFolder } from "./folders.ts";
import { imagesHash } from "./latents.ts";
import { frozen, mapBatches } from "./map-batches.ts";
import { modelHash, openVae } from "./materials.ts";

const BATCH = 32;
const CONFIG = { stage_channels: [16, 32, 64] };

/** classifiers.json: what each head of the model recognises and how well. */
export interface ClassifierSummary {
  readonly heads: readonly {
    readonly column: string;
    readonly values: readonly string[];
    readonly accuracy: number;
    readonly interval: Interval;
    /** On the held-out images, [true][predicted]. */
    readonly confusion: readonly (readonly number[])[];
    /** Averages over the values. */
    readonly precision: number;
    readonly recall: number;
    readonly f1: number;
    readonly auc: number | undefined;
  }[];
  readonly trainImages: number;
  readonly heldOutImages: number;
}

/** Columns of the configuration that the evaluation looks at: the named subject first, then the hidden attributes. */
export const evaluatedColumns = (config: ExperimentConfig): string[] => [
  ...[config.evaluation.subjectColumn ?? []].flat(),
  ...hiddenColumns(config),
];

/** Columns that the run's own classifier learns: those that no given classifier recognises. */
export function trainedColumns(config: ExperimentConfig): string[] {
  const given = classifierPlaces(config.evaluation.classifiers).map(({ column }) => column);
  return evaluatedColumns(config).filter((column) => !given.includes(column));
}

/** Whether the run trains a classifier: there are labels, and a balanced validation folder to learn them from. */
export const trainsClassifiers = (config: ExperimentConfig): boolean =>
  trainedColumns(config).length > 0 &&
  (config.data.kind === "birds" ? config.data.validation > 0 : config.data.validationPath !== undefined);

/** Fingerprint of the validation images with the labels that are read of them. */
export async function validationInputs(
  config: ExperimentConfig,
  columns: readonly string[],
): Promise<object | string> {
  const { kind, validationPath, captionColumn } = config.data;
  if (kind === "birds" || validationPath === undefined) return kind;
  return {
    images: await imagesHash(validationPath, captionColumn),
    labels: labelsHash(validationPath, columns),
  };
}

/** Fingerprint of columns; "unreadable" without them, so that planning the other stages does not need them. */
export function labelsHash(path: string, columns: readonly string[]): string {
  try {
    return hashJson([...readEvaluationColumns(path, columns)]);
  } catch (error) {
    if (error instanceof DataError) return "unreadable";
    throw error;
  }
}

export const classifiersStage = (config: ExperimentConfig): Stage => ({
  name: "classifiers",
  isExact: true,
  needs: dataNeeds(config),
  inputs: async (own) => ({
    format: 2,
    seed: own.seed,
    columns: trainedColumns(own),
    steps: own.evaluation.classifierSteps,
    validation: await validationInputs(own, trainedColumns(own)),
    resolution: own.data.resolution,
    model: await modelHash(own, ["vae"]),
  }),
  async run(context) {
    const { config, dir, signal, progress } = context;
    const columns = trainedColumns(config);
    const folder = validationFolder(context)!;
    const items = folderItems(config, folder);
    const rows = readEvaluationColumns(folder.path, columns, { split: folder.split });
    const order = items.map((_, i) => i);
    new Random("classifier-split", config.seed).shuffle(order);
    const values = columns.map((column) =>
      [...new Set(items.map(({ id }) => String(rows.get(id)![column])))].sort(),
    );
    const labels = columns.map((column, c) =>
      order.map((i) => values[c]!.indexOf(String(rows.get(items[i]!.id)![column]))),
    );
    const trainCount = Math.floor((items.length * 2) / 3);
    using pixels = await loadImages(
      order.map((i) => items[i]!.file),
      { size: config.data.resolution, signal },
    );
    // Samples come out of the decoder, so the classifiers also learn from decoded real images.
    using decoded = await reconstruct(context, pixels);
    using model = ResnetClassifier.seeded(
      { ...CONFIG, num_classes: values.map((list) => list.length) },
      config.seed,
    ).to({ device: config.device });
    await train(
      model,
      { pixels, decoded, labels, trainCount },
      { context, steps: config.evaluation.classifierSteps },
    );
    progress({ task: "checking classifiers", done: 1, total: 1 });
    using heldOut = keep(pixels.slice(0, trainCount, items.length));
    const predicted = await predict(model, heldOut, config.device);
    const heads = columns.map((column, c) => {
      const truth = labels[c]!.slice(trainCount);
      const hits = truth.map((label, i) => label === predicted[c]![i]);
      const { value, interval } = shareEstimate(hits);
      const report = classificationReport(truth, predicted[c]!, values[c]!.length);
      const { confusion, macro } = report;
      const quality = { accuracy: value, interval, confusion, ...macro, auc: report.reference.auc };
      return { column, values: values[c]!, ...quality };
    });
    saveClassifier(dir, model);
    const summary: ClassifierSummary = {
      heads,
      trainImages: trainCount,
      heldOutImages: items.length - trainCount,
    };
    writeFileAtomic(join(dir, "classifiers.json"), JSON.stringify(summary, null, 2));
    return { ...Object.fromEntries(heads.map(({ column, accuracy: value }) => [column, value])) };
  },
});

interface TrainingImages {
  readonly pixels: Tensor;
  readonly decoded: Tensor;
  /** [column][image] */
  readonly labels: readonly (readonly number[])[];
  readonly trainCount: number;
}

async function train(
  model: ResnetClassifier,
  { pixels, decoded, labels, trainCount }: TrainingImages,
  { context: { config, signal, progress }, steps }: { context: StageContext; steps: number },
): Promise<void> {
  using optimizer = new AdamW(model.namedParameters(), { weightDecay: 0.01 });
  const learningRate = lrSchedule("cosine", {
    lr: 2e-3,
    warmupSteps: Math.min(20, steps - 1),
    totalSteps: steps,
  });
  const batches = shuffledBatches(trainCount, BATCH, config.seed);
  const random = new Random("classifier", config.seed);
  // Where a bird faces would be lost in the mirror; the images of one attribute alone are mirrored as ever.
  const mirrors = hiddenColumns(config).length <= 1;
  model.train();
  for (let step = 0; step < steps; step++) {
    const { value } = batches.next();
    const indices = value;
    using loss = scope(() => {
      const rows = tensor(indices, { dtype: "int64" });
      const source = random.chance(0.5) ? decoded : pixels;
      const images = toModelRange(upload(source.indexSelect(0, rows), config.device));
      const flipped = random.chance(0.5) && mirrors ? images.flip([3]) : images;
      const total = model
        .splitHeads(model.forward(flipped))
        .map((logits, head) => {
          const truth = Int32Array.from(indices, (i) => labels[head]![i]!);
          return crossEntropyLoss(logits, upload(tensor(truth, { dtype: "int64" }), config.device));
        })
        .reduce((sum, value) => sum.add(value));
      total.backward();
      return keep(total.detach());
    });
    clipGradNorm_(model.parameters(), 1);
    optimizer.lr = learningRate(step);
    optimizer.step();
    optimizer.zeroGrad();
    // A device has the whole step before it is asked what came out of it.
    const values = { loss: loss.item() };
    progress({ task: "training classifiers", done: step + 1, total: steps, values });
    await nextTurn();
    signal.throwIfAborted();
  }
  model.eval();
}

/** Images through encoder and decoder, uint8 as given. */
async function reconstruct({ config, signal, progress }: StageContext, pixels: Tensor): Promise<Tensor> {
  using vae = openVae(config);
  const onBatch = (done: number, total: number) =>
    progress({ task: "decoding validation images", done, total });
  return await mapBatches(pixels.shape[0]!, { batchSize: 64, signal, onBatch }, (first, last) =>
    frozen(() => {
      const images = toModelRange(upload(pixels.slice(0, first, last), config.device));
      return fromModelRange(vae.decode(vae.encode(images).mode())).to("cpu");
    }),
  );
}

/** Most likely class of uint8 images [N, 3, H, W]: [head][image]. */
async function predict(model: ResnetClassifier, images: Tensor, device: string): Promise<Int32Array[]> {
  using logits = await mapBatches(images.shape[0]!, { batchSize: 128 }, (first, last) =>
    frozen(() => model.forward(toModelRange(upload(images.slice(0, first, last), device))).to("cpu")),
  );
  return scope(() =>
    model.splitHeads(logits).map((head, index) => {
      const values = head.contiguous().toArray() as Float32Array;
      return Int32Array.from(largestInRows(values, model.config.num_classes[index]!));
    }),
  );
}
