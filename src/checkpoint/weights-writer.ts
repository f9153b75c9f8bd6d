/**
 * Weights under the names of diffusers and transformers: one file, or shards with an index. A save that is cut off at any
 * moment leaves a folder that loads as the old model, as the new one, or not at all: never as a mixture of both.
 */
import { lstatSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  CheckpointError,
  ConfigError,
  type DType,
  dtypes,
  temporaryName,
  type Tensor,
  writeFileAtomic,
} from "../torch/index.ts";
import { storedDType } from "./safetensors-writer.ts";
import { writeSafetensors } from "./safetensors.ts";
import { splitShards } from "./split-shards.ts";
import {
  checkVariant,
  indexName,
  parseWeightName,
  shardName,
  type WeightSet,
  wholeName,
} from "./weight-names.ts";

export interface WriteWeightsOptions {
  /** Weights are split into files of at most this many bytes. Default 10 GB (10^10), as in diffusers. */
  readonly maxShardBytes?: number;
  /** "fp16" for diffusion_pytorch_model.fp16.safetensors. */
  readonly variant?: string;
  /** Floating-point tensors are converted on the way, piece by piece. Default: every tensor keeps its own dtype. */
  readonly dtype?: DType;
}

const DEFAULT_SHARD_BYTES = 10e9;

/** One file of a save: its final name, and what writes it under a temporary one. */
interface Part {
  readonly name: string;
  readonly write: (path: string) => void;
}

/**
 * Writes `tensors` as `base` ("diffusion_pytorch_model" or "model") into `dir`, and removes the files of an earlier save of
 * the same base and variant. Memory: one piece of one tensor. Returns the names written, the one to load last.
 * Throws ConfigError for a wrong option, CheckpointError where a folder is in the way; the system's error when the disk is full, and then the old files are untouched.
 */
export function writeWeights(
  dir: string,
  base: "diffusion_pytorch_model" | "model",
  tensors: ReadonlyMap<string, Tensor>,
  options: WriteWeightsOptions = {},
): string[] {
  const { maxShardBytes = DEFAULT_SHARD_BYTES, variant } = options;
  checkVariant(variant);
  if (!(maxShardBytes > 0))
    throw new ConfigError(`maxShardBytes is ${maxShardBytes}; expected a positive number`);
  const set: WeightSet = { base, format: "safetensors", variant };
  const parts = plan(set, tensors, { ...options, maxShardBytes });
  mkdirSync(dir, { recursive: true });
  for (const { name } of parts) refuseFolder(join(dir, name));
  const temporary = ({ name }: Part) => join(dir, temporaryName(name));
  try {
    for (const part of parts) part.write(temporary(part));
    const old = filesOf(dir, set);
    // New shards may bear the names of old ones. Without an index they are no model, so that half of each is none either.
    if (parts.slice(0, -1).some(({ name }) => old.includes(name)))
      for (const name of entries(old)) remove(dir, name);
    for (const part of parts) renameSync(temporary(part), join(dir, part.name));
    const names = parts.map(({ name }) => name);
    const stale = old.filter((name) => !names.includes(name));
    for (const name of [...entries(stale), ...stale]) remove(dir, name);
    return names;
  } finally {
    for (const part of parts) rmSync(temporary(part), { force: true });
  }
}

/** The files to write; the one that makes them a model (the index, or the only file) comes last. */
function plan(
  set: WeightSet,
  tensors: ReadonlyMap<string, Tensor>,
  { maxShardBytes, dtype }: WriteWeightsOptions & { maxShardBytes: number },
): Part[] {
  const sizes = Array.from(tensors, ([key, tensor]) => ({
    key,
    bytes: tensor.numel * dtypes[storedDType(tensor, dtype)].bytes,
  }));
  const shards = splitShards(sizes, maxShardBytes);
  const part = (name: string, keys: readonly string[]): Part => ({
    name,
    write: (path) => {
      const chosen = new Map(keys.map((key) => [key, tensors.get(key)!]));
      writeSafetensors(path, chosen, { format: "pt" }, { dtype });
    },
  });
  if (shards.length === 1) return [part(wholeName(set), shards[0]!)];
  const parts = shards.map((keys, i) => part(shardName(set, i, shards.length), keys));
  const placed = parts.flatMap(({ name }, i) => shards[i]!.map((key) => [key, name] as const));
  const index = {
    metadata: { total_size: sizes.reduce((sum, { bytes }) => sum + bytes, 0) },
    weight_map: Object.fromEntries(placed.sort(([a], [b]) => (a < b ? -1 : 1))),
  };
  const text = `${JSON.stringify(index, null, 2)}\n`;
  return [...parts, { name: indexName(set), write: (path) => writeFileAtomic(path, text) }];
}

/** Names in `dir` that belong to this set, of this save or an earlier one. */
const filesOf = (dir: string, set: WeightSet): string[] =>
  readdirSync(dir).filter((name) => {
    const found = parseWeightName(name);
    return found?.base === set.base && found.format === set.format && found.variant === set.variant;
  });

/** The files by which a reader would find the set. */
const entries = (names: readonly string[]): string[] =>
  names.filter((name) => parseWeightName(name)?.kind !== "shard");

/** Only files are replaced; found out before anything is written. */
function refuseFolder(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
    throw new CheckpointError(
      `${path} is a folder; the weights are to be a file of that name. Remove or rename it.`,
    );
}

const remove = (dir: string, name: string): void => rmSync(join(dir, name), { force: true });
