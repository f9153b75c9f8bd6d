// Training a classifier from request to folder.
import { join, resolve } from "node:path";
import { loadResnet, Resnet, resnetFile, type ResnetName } from "../../models/index.ts";
import { hashFiles } from "../cache/content.ts";
import { diskFullError, isDiskFull } from "../disk-full.ts";
import { usePrecision } from "../accelerator.ts";
import { prepareEngine } from "../engine.ts";
import { hashFile, hashJson } from "../hash.ts";
import { inMemory } from "../memory-shortage.ts";
import { lockFolder } from "../run-lock.ts";
import type { Progress } from "../stage.ts";
import { resolveThreads } from "../threads.ts";
import { packageVersion } from "../versions.ts";
import { WEIGHTS } from "./checkpoints.ts";
import { type ClassifierFile, readClassifierFile, writeClassifierFile } from "./classifier-file.ts";
import { batchesPerEpoch } from "./epoch.ts";
import { balancedWeights, countsOf, type LabelledSet, labelledSet, PARTS } from "./labels.ts";
import { checkClassifierOut, closeClassifierOut, openClassifierOut } from "./out-folder.ts";
import { judge, openParts, type Watching, writeConfusion } from "./parts.ts";
import { IMAGENET } from "../../data/imagenet.ts";
import { readLabels } from "./read-labels.ts";
import type { TrainClassifierRequest } from "./request.ts";
import { type EpochRecord, train } from "./train.ts";

export interface ClassifierPlan {
  readonly set: LabelledSet;
  readonly architecture: ResnetName;
  /** In one epoch. */
  readonly batches: number;
  /** Bytes of all decoded pictures. */
  readonly pictureBytes: number;
}

export interface TrainClassifierOptions {
  readonly signal?: AbortSignal | undefined;
  /** What is going to happen, before the first step. */
  readonly onPlan?: (plan: ClassifierPlan) => void;
  readonly onProgress?: (progress: Omit<Progress, "stage">) => void;
  readonly onNote?: (text: string) => void;
  readonly onEpoch?: (record: EpochRecord) => void;
}

export interface TrainClassifierResult {
  readonly out: string;
  readonly file: ClassifierFile;
  /** True when the folder held this very classifier already. */
  readonly reused: boolean;
}

/**
 * Trains a classifier of one column and judges it; stopped or killed, the same call goes on from there.
 * Errors: UserError, DataError and CheckpointError for what does not fit; the signal's reason when stopped, after saving.
 */
export async function trainClassifier(
  request: TrainClassifierRequest,
  options: TrainClassifierOptions = {},
): Promise<TrainClassifierResult> {
  const { out, force, seed, device } = request;
  const { signal, onPlan, onProgress: progress = () => {}, onNote: note = () => {} } = options;
  checkClassifierOut(out);
  const set = await readSet(request);
  const torch = await prepareEngine({
    device,
    threads: resolveThreads({ threads: request.threads ?? "auto" }),
  });
  usePrecision(torch, request, { exact: true });
  using model = newModel(request, set.values.length);
  const fingerprint = await fingerprintOf(set, { signal, progress });
  const settings = await settingsOf(request, set, { fingerprint, architecture: model.config.architecture });
  const finished = openClassifierOut(out, settings, { force });
  if (finished) return { out, file: finished, reused: true };
  using _lock = lockFolder(out);
  const pictureBytes = bytesOf(set, request.imageSize);
  const batches = batchesPerEpoch(set.train.ids.length, request.batchSize);
  onPlan?.({ set, architecture: model.config.architecture, batches, pictureBytes });
  using parts = openParts(set, request, pictureBytes <= request.memoryBytes);
  const file = (metrics: ClassifierFile["metrics"], bestEpoch: number, isFinished: boolean) =>
    writeClassifierFile(out, {
      ...{ invdiff: packageVersion(), architecture: model.config.architecture },
      ...{ column: set.column, values: [...set.values], imageSize: request.imageSize },
      ...{ mean: [...IMAGENET.mean], std: [...IMAGENET.std], bestEpoch, finished: isFinished },
      ...{ metrics, seed, settings, data: describeData(set, request, fingerprint) },
    });
  try {
    const weights = request.balance ? balancedWeights(set.train, set.values.length) : undefined;
    await inMemory({ what: "The training", option: "--batch-size", size: request.batchSize }, () =>
      train(
        { request, model, train: parts.train, validation: parts.validation, weights },
        {
          ...{ signal, progress, note },
          onEpoch: (record) => {
            if (record.best) file({ validation: record.validation }, record.epoch, false);
            options.onEpoch?.(record);
          },
        },
      ),
    );
    const { bestEpoch } = readClassifierFile(out)!;
    const metrics = await judge(join(out, WEIGHTS), parts, { request, signal, progress });
    await writeConfusion(out, set, metrics);
    file(metrics, bestEpoch, true);
  } catch (error) {
    throw isDiskFull(error) ? diskFullError(error, { stage: "train-classifier", folder: out }) : error;
  }
  closeClassifierOut(out);
  return { out, file: readClassifierFile(out)!, reused: false };
}

async function readSet(request: TrainClassifierRequest): Promise<LabelledSet> {
  const { data: path, column, seed, validationShare } = request;
  return labelledSet(await readLabels(path, column), { path, column, seed, validationShare });
}

function newModel(request: TrainClassifierRequest, numClasses: number): Resnet {
  const { init, model: architecture, seed, device } = request;
  if (init !== undefined) return loadResnet(init, { numClasses, seed, device, architecture });
  return Resnet.seeded({ architecture: architecture ?? "resnet18", numClasses }, { seed }).to({ device });
}

/** Of contents, labels and parts: the same pictures in another place are the same data. */
async function fingerprintOf(set: LabelledSet, { signal, progress }: Watching): Promise<string> {
  const parts = PARTS.flatMap((name) => set[name] ?? []);
  const files = parts.flatMap((part) => part.files);
  const hashes = await hashFiles(files, {
    signal,
    onProgress: (done, total) => progress({ task: "looking at the images", done, total, unit: "images" }),
  });
  return hashJson({ hashes, labels: parts.map(({ labels }) => [...labels]), values: set.values });
}

/** Everything that the weights depend on. */
async function settingsOf(
  request: TrainClassifierRequest,
  set: LabelledSet,
  { fingerprint, architecture }: { fingerprint: string; architecture: string },
): Promise<Record<string, unknown>> {
  const { column, init, imageSize, epochs, batchSize, lr, flip, balance, validationShare, seed } = request;
  const initFile = init === undefined ? undefined : await hashFile(resnetFile(init));
  return {
    ...{ column, architecture, imageSize, epochs, batchSize, lr, flip, balance, seed },
    ...(initFile !== undefined && { init: initFile }),
    ...(set.validationDrawn && { validationShare }),
    data: fingerprint,
  };
}

const bytesOf = (set: LabelledSet, size: number): number =>
  PARTS.reduce((sum, name) => sum + (set[name]?.files.length ?? 0), 0) * 3 * size * size;

const describeData = (
  set: LabelledSet,
  { data }: TrainClassifierRequest,
  fingerprint: string,
): ClassifierFile["data"] => ({
  ...{ path: resolve(data), fingerprint, validationDrawn: set.validationDrawn },
  counts: Object.fromEntries(
    PARTS.flatMap((name) => {
      const part = set[name];
      return part ? [[name, countsOf(part, set.values)]] : [];
    }),
  ),
});
