// classifier.json: what the weights beside it recognise, how well, and what they were made from.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { CheckpointError, writeFileAtomic } from "../../torch/index.ts";

export const CLASSIFIER_FILE = "classifier.json";
export const FORMAT = "invdiff-classifier";
const VERSION = 1;

const count = z.int().min(0);
const channels = z.array(z.number()).length(3);

const splitMetrics = z.object({
  images: count,
  /** Mean cross entropy. */
  loss: z.number(),
  accuracy: z.number(),
  /** 95 % bootstrap interval of the accuracy. */
  interval: z.tuple([z.number(), z.number()]),
  /** Of the second value for two values, as the reference; else the mean over the values. So are recall and f1. */
  precision: z.number(),
  recall: z.number(),
  f1: z.number(),
  /** Mean over the values, also for two. */
  macroF1: z.number(),
  /** Two values only: from the predicted values, as the reference. */
  auc: z.number().optional(),
  /** Two values only: from the probability of the second value. */
  scoreAuc: z.number().optional(),
  /** [true][predicted], images. */
  confusion: z.array(z.array(count)),
});

const classifierFile = z.object({
  format: z.literal(FORMAT),
  version: z.literal(VERSION),
  invdiff: z.string(),
  architecture: z.enum(["resnet18", "resnet50"]),
  column: z.string(),
  /** What each class is called, in their order. */
  values: z.array(z.string()).min(2),
  imageSize: z.int().min(1),
  mean: channels,
  std: channels,
  /** Counted from 1. */
  bestEpoch: z.int().min(1),
  /** False while a training goes on: these are the best weights so far. */
  finished: z.boolean(),
  metrics: z.object({
    train: splitMetrics.optional(),
    validation: splitMetrics,
    test: splitMetrics.optional(),
  }),
  seed: count,
  settings: z.record(z.string(), z.unknown()),
  data: z.object({
    path: z.string(),
    /** Of the pictures' contents and labels. */
    fingerprint: z.string(),
    /** Images of each value, by split. */
    counts: z.record(z.string(), z.record(z.string(), count)),
    /** True: the folder has no validation split, part of its training images took its place. */
    validationDrawn: z.boolean(),
  }),
});

export type SplitMetrics = z.output<typeof splitMetrics>;
export type ClassifierFile = z.output<typeof classifierFile>;

/** Writes the file, whole or not at all. */
export function writeClassifierFile(
  folder: string,
  content: Omit<ClassifierFile, "format" | "version">,
): void {
  const text = JSON.stringify({ format: FORMAT, version: VERSION, ...content }, null, 2);
  writeFileAtomic(join(folder, CLASSIFIER_FILE), `${text}\n`);
}

/** The file of a folder, undefined when there is none. Errors: CheckpointError when it is broken or of another version. */
export function readClassifierFile(folder: string): ClassifierFile | undefined {
  const path = join(folder, CLASSIFIER_FILE);
  if (!existsSync(path)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new CheckpointError(
      `${path} is no JSON: ${(cause as Error).message}. Train the classifier again.`,
      { cause },
    );
  }
  const { version } = (value ?? {}) as { version?: unknown };
  if (typeof version === "number" && version > VERSION)
    throw new CheckpointError(
      `${path} has version ${version}; this program reads version ${VERSION}. Use the program that wrote it, or a newer one.`,
    );
  const parsed = classifierFile.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path: where = [], message = "" } = parsed.error.issues[0] ?? {};
  throw new CheckpointError(
    `${path} describes no classifier (${where.join(".")}: ${message}). Train the classifier again, or give another folder.`,
  );
}
