/** Checkpoints of the reference implementation (Hundredl/InvDiff), in and out: base and guidance U-Net of a step. */
import { existsSync } from "node:fs";
import {
  deltaGuidance,
  invdiffFolder,
  invdiffPaths,
  writeInvdiffArgs,
  type DeltaGuidance,
  type InvdiffArgs,
} from "../checkpoint/index.ts";
import { CheckpointError } from "../torch/index.ts";
import { loadUnet, saveUnet } from "./load.ts";
import type { LoadOptions, SaveOptions } from "./load.ts";
import type { UNet2DConditionModel } from "./unet/index.ts";

/** What both directions share. */
interface Contents {
  /** The options of the run; empty where none are kept (stage 1). */
  readonly args: InvdiffArgs;
  /** The other entries of args.json, which say nothing about the networks. */
  readonly others: Readonly<Record<string, unknown>>;
}

export interface InvdiffCheckpoint extends Contents, Disposable {
  /** The checkpoint's folder: of a run, that of the highest step. */
  readonly path: string;
  /** N of `checkpoint-N`; undefined when the folder has another name. */
  readonly step: number | undefined;
  /** The frozen (stage 3) or fine-tuned (stage 1) base; undefined when only the guidance was kept. */
  readonly base: UNet2DConditionModel | undefined;
  /** The guidance network, of the base's size or smaller; undefined in stage 1. */
  readonly delta: UNet2DConditionModel | undefined;
  /** How the two make one prediction, from `delta_ratio`; another ratio may be chosen for sampling. */
  readonly guidance: DeltaGuidance;
}

/**
 * Loads `checkpoint-N`, or from a run's folder its checkpoint with the highest N. Disposing of it releases both networks.
 * @throws CheckpointError, ConfigError naming the folder and what does not fit
 */
export function loadInvdiffCheckpoint(dir: string, options: LoadOptions = {}): InvdiffCheckpoint {
  const folder = invdiffFolder(dir);
  const guidance = deltaGuidance(folder.args.delta_ratio);
  const base = folder.base === undefined ? undefined : loadUnet(folder.base, options);
  let delta: UNet2DConditionModel | undefined;
  try {
    delta = folder.delta === undefined ? undefined : loadUnet(folder.delta, options);
  } catch (error) {
    base?.[Symbol.dispose]();
    throw error;
  }
  const { path, step, args, others } = folder;
  const dispose = () => {
    base?.[Symbol.dispose]();
    delta?.[Symbol.dispose]();
  };
  return { path, step, base, delta, guidance, args, others, [Symbol.dispose]: dispose };
}

export interface InvdiffContents extends Partial<Contents> {
  readonly step: number;
  readonly base: UNet2DConditionModel;
  /** With it a checkpoint of stage 3, without it one of stage 1. */
  readonly delta?: UNet2DConditionModel;
}

/**
 * Writes `checkpoint-N` into a run's folder (or into `dir` itself, if it has that name) so that the reference loads it:
 * `unet_pretrain_unet`, `unet_delta` and `args.json`, or `unet` in stage 1. Returns the checkpoint's folder.
 */
export function saveInvdiffCheckpoint(
  dir: string,
  { step, base, delta, args = {}, others = {} }: InvdiffContents,
  options: SaveOptions = {},
): string {
  const paths = invdiffPaths(dir, step);
  const run = { ...others, ...args, delta: delta !== undefined };
  if (delta !== undefined) {
    saveUnet(paths.base, base, options);
    saveUnet(paths.delta, delta, options);
    writeInvdiffArgs(paths.args, run);
    return paths.path;
  }
  if (existsSync(paths.delta))
    throw new CheckpointError(
      `${paths.path} holds a checkpoint of stage 3; save the base alone in another folder.`,
    );
  saveUnet(paths.stage1, base, options);
  // The reference keeps no options in stage 1.
  if (Object.keys({ ...others, ...args }).length > 0) writeInvdiffArgs(paths.args, run);
  return paths.path;
}
