// The folder of a classifier: new, unfinished with the same settings, finished, or somebody else's.
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { removeDir, UserError, writeFileAtomic } from "../../torch/index.ts";
import { isMarked, visibleNames } from "../out-folder.ts";
import { changedLeaves } from "../stage-plan.ts";
import { CHECKPOINTS, WEIGHTS } from "./checkpoints.ts";
import { CLASSIFIER_FILE, type ClassifierFile, FORMAT, readClassifierFile } from "./classifier-file.ts";

/** Marks a folder in which a training has begun; it goes when the training has finished. */
const TRAINING = "training.json";
const TRAINING_FORMAT = "invdiff-classifier-training";

export const METRICS = "metrics.jsonl";
export const CONFUSION = "confusion.png";

export type Settings = Readonly<Record<string, unknown>>;

/** Errors: UserError when `out` is a file, or holds files that no training of ours made. */
export function checkClassifierOut(out: string): void {
  const kind = statSync(out, { throwIfNoEntry: false });
  if (!kind) return;
  if (!kind.isDirectory()) throw new UserError(`${out} is a file; expected a folder for the classifier.`);
  const { names, some } = visibleNames(out);
  const ours = isMarked(out, TRAINING, TRAINING_FORMAT) || isMarked(out, CLASSIFIER_FILE, FORMAT);
  if (names.length === 0 || ours) return;
  throw new UserError(
    `${out} exists and holds other files (${some}), so nothing is written there. Choose another folder (--out).`,
  );
}

/**
 * The finished classifier when it was trained with these settings; undefined when there is something to do.
 * Errors: UserError with the differences when the folder's settings are others and `force` is not set.
 */
export function openClassifierOut(
  out: string,
  settings: Settings,
  { force }: { force: boolean },
): ClassifierFile | undefined {
  const finished = readFinished(out, force);
  const before = finished?.settings ?? settingsOfTraining(out);
  if (before !== undefined) {
    const changed = changedLeaves(before, JSON.parse(JSON.stringify(settings)));
    if (changed.length === 0) return finished;
    if (!force)
      throw new UserError(
        `${out} holds ${finished ? "a classifier" : "an unfinished training"} with other settings (old -> new):\n` +
          `${changed.map((line) => `  ${line}`).join("\n")}\nChoose another folder (--out), or replace it (--force).`,
      );
    clear(out);
  }
  mkdirSync(out, { recursive: true });
  const mark = { format: TRAINING_FORMAT, version: 1, settings };
  writeFileAtomic(join(out, TRAINING), `${JSON.stringify(mark, null, 2)}\n`);
  return undefined;
}

/** Removes what only an unfinished training needs. */
export function closeClassifierOut(out: string): void {
  removeDir(join(out, CHECKPOINTS));
  rmSync(join(out, TRAINING), { force: true });
}

function readFinished(out: string, force: boolean): ClassifierFile | undefined {
  try {
    const found = readClassifierFile(out);
    return found?.finished === true && existsSync(join(out, WEIGHTS)) ? found : undefined;
  } catch (error) {
    if (!force) throw error;
    clear(out);
    return undefined;
  }
}

function settingsOfTraining(out: string): Settings | undefined {
  if (!isMarked(out, TRAINING, TRAINING_FORMAT)) return undefined;
  return (JSON.parse(readFileSync(join(out, TRAINING), "utf8")) as { settings?: Settings }).settings;
}

function clear(out: string): void {
  // The marks last: a folder that is half cleared is still known as ours.
  removeDir(join(out, CHECKPOINTS));
  for (const name of [WEIGHTS, METRICS, CONFUSION, CLASSIFIER_FILE, TRAINING])
    rmSync(join(out, name), { force: true });
}
