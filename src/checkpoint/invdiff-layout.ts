/**
 * Checkpoints as the reference writes and publishes them (Hundredl/InvDiff src/train_text_to_image.py, src/test.py):
 *
 *     run/checkpoint-2000/unet                     stage 1: the fine-tuned base
 *     run/checkpoint-2000/unet_pretrain_unet       stage 3: the frozen base
 *     run/checkpoint-2000/unet_delta               stage 3: the guidance network
 *     run/checkpoint-2000/args.json                stage 3: the run's options
 *
 * Each network is a diffusers folder of its own. In stage 3 a folder `unet` lies beside them, with both networks under the keys
 * of one; it holds nothing else and is not read.
 */
import { existsSync, readdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { CheckpointError, writeFileAtomic } from "../torch/index.ts";
import { isFolder } from "./file-kind.ts";
import { type InvdiffArgs, parseInvdiffArgs } from "./invdiff-args.ts";
import { readJsonObject } from "./json.ts";

export interface InvdiffFolder {
  /** The checkpoint's folder. */
  readonly path: string;
  /** N of `checkpoint-N`; undefined when the folder has another name. */
  readonly step: number | undefined;
  /** Folder of the base U-Net, if there is one. */
  readonly base: string | undefined;
  /** Folder of the guidance network; undefined in stage 1. */
  readonly delta: string | undefined;
  readonly args: InvdiffArgs;
  /** What else args.json holds. */
  readonly others: Readonly<Record<string, unknown>>;
}

const NAME = /^checkpoint-(\d+)$/;
const BASE = "unet_pretrain_unet";
const DELTA = "unet_delta";
const STAGE_1 = "unet";
const ARGS = "args.json";

/** The step of a folder named `checkpoint-N`. */
function stepOf(path: string): number | undefined {
  const digits = NAME.exec(basename(resolve(path)))?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/**
 * What lies where. `dir` is a checkpoint, or a run's folder: then its checkpoint with the highest step is taken.
 * Throws CheckpointError saying what was looked for and what is there.
 */
export function invdiffFolder(dir: string): InvdiffFolder {
  if (!isFolder(dir))
    throw new CheckpointError(`${dir} is no folder; expected a run of InvDiff or its checkpoint-N.`);
  // A finished run has a `unet` of its own, in the pipeline that the reference saves at the end: checkpoints come first.
  const path = highest(dir) ?? dir;
  const part = (name: string) => (isFolder(join(path, name)) ? join(path, name) : undefined);
  const delta = part(DELTA);
  const base = part(BASE);
  if (base !== undefined && delta === undefined)
    throw new CheckpointError(`${path} has ${BASE} but no ${DELTA}; a checkpoint of stage 3 needs it.`);
  const stage1 = delta === undefined ? part(STAGE_1) : undefined;
  if (delta === undefined && stage1 === undefined)
    throw new CheckpointError(
      `${path} is no checkpoint of InvDiff: it has no ${BASE} with ${DELTA}, no ${STAGE_1}, and no checkpoint-N; it holds ${contents(path)}.`,
    );
  const file = join(path, ARGS);
  const given = existsSync(file) ? readJsonObject(file) : {};
  return { path, step: stepOf(path), base: base ?? stage1, delta, ...parseInvdiffArgs(given, file) };
}

/** True where `invdiffFolder` finds a guidance network. */
export const hasInvdiffGuidance = (dir: string): boolean =>
  isFolder(dir) && isFolder(join(highest(dir) ?? dir, DELTA));

/** The checkpoint with the highest step in a run's folder. */
function highest(dir: string): string | undefined {
  const steps = readdirSync(dir).flatMap((name) => {
    const step = stepOf(name);
    return step !== undefined && isFolder(join(dir, name)) ? [{ name, step }] : [];
  });
  const last = steps.sort((a, b) => a.step - b.step).at(-1);
  return last && join(dir, last.name);
}

const contents = (dir: string) => readdirSync(dir).sort().slice(0, 8).join(", ") || "nothing";

/** Where the parts of checkpoint `step` go; `dir` is the run's folder, or that of the checkpoint itself. */
export function invdiffPaths(dir: string, step: number) {
  const path = stepOf(dir) === step ? dir : join(dir, `checkpoint-${step}`);
  return {
    path,
    base: join(path, BASE),
    delta: join(path, DELTA),
    stage1: join(path, STAGE_1),
    args: join(path, ARGS),
  };
}

/** Writes an `args.json`. */
export const writeInvdiffArgs = (path: string, args: Readonly<Record<string, unknown>>): void =>
  writeFileAtomic(path, `${JSON.stringify(args)}\n`);
