// How well a classifier does on one part: every metric of the reference, and the confusion matrix.
import { setImmediate as nextTurn } from "node:timers/promises";
import { readAhead } from "../../data/loader/read-ahead.ts";
import { classificationReport, largestInRows, shareEstimate } from "../../metrics/index.ts";
import type { Resnet } from "../../models/index.ts";
import { cat, crossEntropyLoss, inferenceMode, scope, tensor, upload } from "../../torch/index.ts";
import type { SplitMetrics } from "./classifier-file.ts";
import { BATCHES_AHEAD, type LabelledPictures } from "./pictures.ts";
import { IMAGENET, normalised } from "../../data/imagenet.ts";

export interface MeasureOptions {
  readonly batchSize: number;
  readonly device: string;
  readonly signal?: AbortSignal | undefined;
  readonly onImages?: ((done: number) => void) | undefined;
}

/** Errors: DataError naming a picture that cannot be read; the signal's reason. */
export async function measure(
  model: Resnet,
  { pictures, labels }: LabelledPictures,
  options: MeasureOptions,
): Promise<SplitMetrics> {
  const { batchSize, device, signal, onImages } = options;
  const { numClasses } = model.config;
  const rows = Int32Array.from(labels, (_, i) => i);
  const batches = Math.ceil(rows.length / batchSize);
  const probabilities = new Float32Array(rows.length * numClasses);
  let loss = 0;
  let first = 0;
  model.eval();
  const images = readAhead(batches, { ahead: BATCHES_AHEAD }, (i, left) =>
    pictures.batch(rows.subarray(i * batchSize, (i + 1) * batchSize), { signal: left }),
  );
  for await (const batch of images) {
    using given = batch;
    const truth = labels.subarray(first, first + batchSize);
    scope(() =>
      inferenceMode(() => {
        const logits = model.forward(normalised(given, { ...IMAGENET, device }));
        const mean = crossEntropyLoss(logits, upload(tensor(truth, { dtype: "int64" }), device));
        const told = cat([mean.view([1]), logits.softmax(1).flatten()]).toArray() as Float32Array;
        loss += told[0]! * truth.length;
        probabilities.set(told.subarray(1), first * numClasses);
      }),
    );
    first += truth.length;
    onImages?.(first);
    await nextTurn();
    signal?.throwIfAborted();
  }
  const predicted = largestInRows(probabilities, numClasses);
  return {
    images: rows.length,
    loss: loss / rows.length,
    ...metricsOf(labels, predicted, probabilities, numClasses),
  };
}

function metricsOf(
  truth: Int32Array,
  predicted: ArrayLike<number>,
  probabilities: Float32Array,
  classes: number,
): Omit<SplitMetrics, "images" | "loss"> {
  const scores = classes === 2 ? Float64Array.from(truth, (_, i) => probabilities[2 * i + 1]!) : undefined;
  const report = classificationReport(truth, predicted, classes, scores && { scores });
  const { accuracy, confusion, macro, reference } = report;
  const hits = Array.from(truth, (label, i) => label === predicted[i]);
  const [low, high] = shareEstimate(hits).interval;
  return {
    ...{ accuracy, interval: [low, high], ...reference, macroF1: macro.f1 },
    ...(report.auc !== undefined && { scoreAuc: report.auc }),
    confusion,
  };
}
