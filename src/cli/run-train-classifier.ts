// Trains classifiers for the command: what will be done, progress, a line per epoch, and how good they are at the end.
import { join, resolve } from "node:path";
import {
  type ClassifierPlan,
  type EpochRecord,
  type SplitMetrics,
  trainClassifier,
  type TrainClassifierRequest,
  trainClassifierRequest,
  type TrainClassifierResult,
} from "../experiment/classifier/index.ts";
import { bytesText } from "../experiment/disk-full.ts";
import { UserError } from "../experiment/errors.ts";
import { networkPath } from "../hub/index.ts";
import { commandLine } from "./command-line.ts";
import { session } from "./session.ts";
import { numberText, table } from "./text.ts";

type Given = Parameters<typeof trainClassifierRequest>[0];

export type TrainClassifierOptions = Omit<Given, "column" | "memoryBytes"> & {
  label: readonly string[];
  memory: number;
};

/** Errors: those of `trainClassifier`; StoppedError when interrupted. */
export async function runTrainClassifier({
  label,
  memory,
  out,
  ...rest
}: TrainClassifierOptions): Promise<void> {
  const columns = [...new Set(label)];
  const requests = columns.map((column) =>
    trainClassifierRequest({
      ...{ ...rest, column, memoryBytes: memory * 1e9 },
      out: columns.length === 1 ? out : join(out, folderName(column)),
    }),
  );
  const folders = requests.map((request) => resolve(request.out));
  if (new Set(folders).size < folders.length)
    throw new UserError(
      `The columns ${columns.join(", ")} would share a folder below ${out}. Train them one by one, each with its own --out.`,
    );
  const results: TrainClassifierResult[] = [];
  await session(async ({ signal, progress, note }) => {
    for (const request of requests) {
      const result = await trainClassifier(request, {
        ...{ signal, onNote: note },
        onPlan: (plan) => note(planText(request, plan)),
        onProgress: (report) => progress({ stage: request.column, ...report }),
        onEpoch: (record) => note(epochText(record, request.epochs)),
      });
      note("");
      results.push(result);
      console.log(resultText(result));
    }
  });
  console.log(nextText(results));
}

const folderName = (column: string): string =>
  column.replace(/[^\p{L}\p{N}_.-]+/gu, "-").replace(/^\.+/, "-");

function planText(
  {
    data,
    out,
    init,
    imageSize,
    epochs,
    batchSize,
    lr,
    seed,
    device,
    flip,
    balance,
    memoryBytes,
  }: TrainClassifierRequest,
  { set, architecture, pictureBytes, batches }: ClassifierPlan,
): string {
  const { column, values, train, validation, test, validationDrawn } = set;
  const counts = values.map(
    (value, i) => `${value}: ${numberText(train.labels.filter((label) => label === i).length)}`,
  );
  const shown = counts.length > 8 ? [...counts.slice(0, 7), `${counts.length - 7} more`] : counts;
  const held = validationDrawn
    ? `${imagesText(validation.ids.length)} for validation, drawn from the training images (${data} has no validation split)`
    : `${imagesText(validation.ids.length)} for validation`;
  const last = test
    ? `${numberText(test.ids.length)} for the test`
    : `no test split: it is judged on the validation images`;
  const kept = pictureBytes <= memoryBytes ? "kept in memory" : "decoded anew in every epoch";
  return [
    `"${column}" of ${imagesText(train.ids.length)} (${shown.join(", ")}); ${held}; ${last}`,
    `${architecture}, ${imageSize} pixels, ${init === undefined ? scratchText(architecture) : `starting from ${init}`}`,
    `${epochs} epochs of ${numberText(batches)} batches of ${batchSize}, Adam at ${lr}, seed ${seed}, ${device}` +
      `${flip ? ", mirrored at random" : ""}${balance ? ", values balanced" : ""}; images take ${bytesText(pictureBytes)}, ${kept}`,
    `-> ${resolve(out)}`,
  ].join("\n");
}

function scratchText(architecture: ClassifierPlan["architecture"]): string {
  const path = networkPath(architecture);
  const how =
    path === undefined
      ? `get them by \`invdiff download network ${architecture}\` and add --init ${architecture}`
      : `they are here: --init ${architecture}`;
  return `trained from scratch; ImageNet weights make better classifiers of few images (${how})`;
}

const imagesText = (count: number): string => `${numberText(count)} ${count === 1 ? "image" : "images"}`;

function epochText({ epoch, trainLoss, validation, best }: EpochRecord, epochs: number): string {
  const { loss, accuracy, f1 } = validation;
  const numbers = `loss ${trainLoss.toFixed(4)}, on validation ${loss.toFixed(4)}, accuracy ${accuracy.toFixed(4)}, F1 ${f1.toFixed(4)}`;
  return `epoch ${epoch} of ${epochs}: ${numbers}${best ? " (best so far)" : ""}`;
}

function resultText({ out, file, reused }: TrainClassifierResult): string {
  const { column, values, metrics, bestEpoch } = file;
  const two = values.length === 2;
  const heading = [
    "",
    "images",
    "accuracy (95 %)",
    "precision",
    "recall",
    "F1",
    "macro F1",
    ...(two ? ["AUC"] : []),
    "loss",
  ];
  const rows = (["train", "validation", "test"] as const).flatMap((name) => {
    const found = metrics[name];
    return found ? [[name, ...cells(found, two)]] : [];
  });
  const what = two
    ? `precision, recall and F1 of "${values[1]}", AUC of the predicted values`
    : "averages over the values";
  return [
    reused ? `${out} holds this classifier already.` : `Trained: ${out} (best epoch: ${bestEpoch})`,
    `"${column}": ${values.join(", ")}; ${what}`,
    table([heading, ...rows]),
  ].join("\n");
}

function cells(
  { images, accuracy, interval: [low, high], precision, recall, f1, macroF1, auc, loss }: SplitMetrics,
  two: boolean,
): string[] {
  const share = (value: number | undefined) => (value === undefined ? "-" : value.toFixed(4));
  return [
    numberText(images),
    `${share(accuracy)} (${low.toFixed(3)}..${high.toFixed(3)})`,
    ...[precision, recall, f1, macroF1].map(share),
    ...(two ? [share(auc)] : []),
    share(loss),
  ];
}

const nextText = (results: readonly TrainClassifierResult[]): string => {
  const classifiers = ["--classifiers", ...results.map(({ out }) => out)];
  const samples = ["--samples", "base=DIR", "guided=DIR"];
  return [
    `Next: measure bias with ${results.length === 1 ? "it" : "them"}, of finished images or of an experiment:`,
    `  ${commandLine(["evaluate", ...samples, ...classifiers, "--out", "compared"])}`,
    `  ${commandLine(["evaluate", "--out", "RUN", ...classifiers])}`,
  ].join("\n");
};
