// The training of a classifier, as the reference's train_classifier.py: Adam, cross entropy, the epoch with the best F1 stays.
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { writeWeights } from "../../checkpoint/index.ts";
import { readAhead } from "../../data/loader/read-ahead.ts";
import type { Resnet } from "../../models/index.ts";
import { AdamW } from "../../nn/index.ts";
import {
  crossEntropyLoss,
  keep,
  scope,
  stack,
  type Tensor,
  tensor,
  upload,
  UserError,
} from "../../torch/index.ts";
import { openStepLines } from "../trackers/step-lines.ts";
import { type Position, restoreTraining, saveTraining, type Trained } from "./checkpoints.ts";
import type { SplitMetrics } from "./classifier-file.ts";
import { epochBatches, type PlannedBatch } from "./epoch.ts";
import { measure } from "./measure.ts";
import { METRICS } from "./out-folder.ts";
import type { Watching } from "./parts.ts";
import { BATCHES_AHEAD, type LabelledPictures } from "./pictures.ts";
import { IMAGENET, normalised } from "../../data/imagenet.ts";
import type { TrainClassifierRequest } from "./request.ts";

/** One finished epoch. */
export interface EpochRecord {
  /** Counted from 1. */
  readonly epoch: number;
  /** Means over the training images, as they were when each was learnt from. */
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  readonly validation: SplitMetrics;
  /** Whether its F1 is the best so far. */
  readonly best: boolean;
}

export interface TrainHooks extends Watching {
  readonly note: (text: string) => void;
  readonly onEpoch: (record: EpochRecord) => void;
}

export interface TrainJob {
  readonly request: TrainClassifierRequest;
  readonly model: Resnet;
  readonly train: LabelledPictures;
  readonly validation: LabelledPictures;
  /** Loss weight of each value; absent: all alike. */
  readonly weights: readonly number[] | undefined;
}

const START: Position = { epoch: 1, batch: 0, loss: 0, hits: 0, images: 0, best: undefined };

/**
 * Trains, or goes on with a training that was stopped, to the bit. The best weights are on the disk whenever an epoch ends.
 * Errors: UserError when the loss is no number any more; DataError naming a picture; the signal's reason after saving.
 */
export async function train(job: TrainJob, hooks: TrainHooks): Promise<void> {
  const { request, model } = job;
  const { out, epochs, lr, device } = request;
  using optimizer = new AdamW(model.namedParameters(), { lr, weightDecay: 0 });
  const trained: Trained = { model, optimizer };
  const restored = restoreTraining(out, trained, hooks.note);
  let position = restored ?? START;
  if (restored && position.epoch <= epochs)
    hooks.note(`Resuming in epoch ${position.epoch} of ${epochs}, after ${position.batch} batches.`);
  const lines = openStepLines(join(out, METRICS), position.epoch - 1);
  const weight = job.weights && keep(tensor([...job.weights], { device }));
  try {
    for (; position.epoch <= epochs; position = await closeEpoch(job, trained, position, { hooks, lines }))
      position = await trainEpoch(job, trained, position, { hooks, weight });
  } finally {
    weight?.dispose();
    lines.close();
  }
}

const planOf = ({ request, train: { labels } }: TrainJob, epoch: number): PlannedBatch[] =>
  epochBatches({ images: labels.length, ...request, epoch });

/** The batches of an epoch that are left. */
async function trainEpoch(
  job: TrainJob,
  trained: Trained,
  start: Position,
  { hooks, weight }: { hooks: TrainHooks; weight: Tensor | undefined },
): Promise<Position> {
  const { epoch } = start;
  const { pictures, labels } = job.train;
  const { epochs, out } = job.request;
  const plan = planOf(job, epoch);
  const left = plan.slice(start.batch);
  let position = start;
  trained.model.train();
  const batches = readAhead(left.length, { ahead: BATCHES_AHEAD }, (i, signal) =>
    pictures.batch(left[i]!.rows, { flips: left[i]!.flips, signal }),
  );
  for await (const images of batches) {
    using given = images;
    const { rows } = plan[position.batch]!;
    const truth = Int32Array.from(rows, (row) => labels[row]!);
    const { loss, hits } = step(trained, given, truth, { device: job.request.device, weight });
    if (!Number.isFinite(loss))
      throw new UserError(
        `The loss became ${loss} in epoch ${epoch}. Lower the learning rate (--lr), or start from ImageNet weights (--init).`,
      );
    position = {
      ...position,
      batch: position.batch + 1,
      loss: position.loss + loss * rows.length,
      hits: position.hits + hits,
      images: position.images + rows.length,
    };
    const done = (epoch - 1) * plan.length + position.batch;
    hooks.progress({
      ...{ task: "training", done, total: epochs * plan.length, images: rows.length },
      values: { epoch, loss: position.loss / position.images },
    });
    await nextTurn();
    if (hooks.signal?.aborted) {
      saveTraining(out, trained, done, position);
      hooks.signal.throwIfAborted();
    }
  }
  return position;
}

function step(
  { model, optimizer }: Trained,
  images: Tensor,
  truth: Int32Array,
  { device, weight }: { device: string; weight: Tensor | undefined },
): { loss: number; hits: number } {
  using told = scope(() => {
    const labels = upload(tensor(truth, { dtype: "int64" }), device);
    const logits = model.forward(normalised(images, { ...IMAGENET, device }));
    const loss = crossEntropyLoss(logits, labels, weight);
    loss.backward();
    const hits = logits.argmax(1).eq(labels).sum();
    return keep(stack([loss.detach(), hits.to("float32")]));
  });
  // A device has the whole step before it is asked what came out of it.
  optimizer.step();
  optimizer.zeroGrad();
  const [loss, hits] = told.toNumbers() as [number, number];
  return { loss, hits };
}

/** Judges the epoch, keeps its weights if they are the best, and leaves a checkpoint at its end. */
async function closeEpoch(
  job: TrainJob,
  trained: Trained,
  position: Position,
  { hooks, lines }: { hooks: TrainHooks; lines: ReturnType<typeof openStepLines> },
): Promise<Position> {
  const { epoch, best } = position;
  const { out, batchSize, device } = job.request;
  const steps = (epoch: number) => epoch * planOf(job, epoch).length;
  const total = job.validation.labels.length;
  const onImages = (done: number) =>
    hooks.progress({ task: `checking epoch ${epoch}`, done, total, unit: "images" });
  const { signal } = hooks;
  const validation = await measure(trained.model, job.validation, {
    batchSize,
    device,
    signal,
    onImages,
  }).catch((error: unknown) => {
    // The epoch's training is not to be lost.
    if (signal?.aborted) saveTraining(out, trained, steps(epoch), position);
    throw error;
  });
  const record: EpochRecord = {
    epoch,
    trainLoss: position.loss / position.images,
    trainAccuracy: position.hits / position.images,
    validation,
    best: best === undefined || validation.f1 > best.f1,
  };
  lines.add(epoch, metricsLine(record));
  lines.flush();
  if (record.best) writeWeights(out, "model", trained.model.stateDict());
  hooks.onEpoch(record);
  const next: Position = {
    ...{ ...START, epoch: epoch + 1 },
    best: record.best ? { epoch, f1: validation.f1 } : best,
  };
  saveTraining(out, trained, steps(epoch), next);
  signal?.throwIfAborted();
  return next;
}

/** A line of metrics.jsonl. */
function metricsLine({ trainLoss, trainAccuracy, validation }: EpochRecord): Record<string, number> {
  const { loss, accuracy, precision, recall, f1, macroF1, auc } = validation;
  return {
    ...{ trainLoss, trainAccuracy, loss, accuracy, precision, recall, f1, macroF1 },
    ...(auc !== undefined && { auc }),
  };
}
