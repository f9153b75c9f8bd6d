// One file of tensors, from its header or its pickle alone.
import { dirname, join } from "node:path";
import { CheckpointError, InvDiffError } from "../../torch/index.ts";
import { describeTorchFile } from "../pickle/index.ts";
import { readSafetensorsHeader, type SafetensorsHeader } from "../safetensors.ts";
import { readShardIndex } from "../shard-index.ts";
import type { BrokenFile, TensorFile, TensorInfo } from "./inspection.ts";

/** Endings of files that hold tensors. */
export const TENSOR_FILE = /\.(safetensors|bin|pth|pt|ckpt|pkl)$/;
export const SHARD_INDEX = /\.(safetensors|bin)\.index(\.[\w-]+)?\.json$|\.index\.json$/;

/** Reads a file's description; a broken one is a result too, so that the others beside it are still shown. */
export function inspectFile(path: string): TensorFile | BrokenFile {
  try {
    if (SHARD_INDEX.test(path)) return inspectShards(path);
    if (path.endsWith(".safetensors")) return inspectSafetensors(path);
    return inspectPickle(path);
  } catch (error) {
    if (!(error instanceof InvDiffError)) throw error;
    return { kind: "broken", path, error: error.message };
  }
}

const tensorsOf = ({ tensors }: SafetensorsHeader): TensorInfo[] =>
  Array.from(tensors, ([name, { dtype, shape, begin, end }]) => ({
    ...{ name, dtype, shape },
    bytes: end - begin,
  }));

function inspectSafetensors(path: string): TensorFile {
  const header = readSafetensorsHeader(path);
  const { metadata, fileBytes } = header;
  return { kind: "safetensors", path, fileBytes, tensors: tensorsOf(header), metadata };
}

function inspectPickle(path: string): TensorFile {
  const { kind: container, protocol, entries, other, globals, fileBytes } = describeTorchFile(path);
  const pickle = { container, protocol, other, globals };
  return { kind: "pickle", path, fileBytes, tensors: entries, metadata: {}, pickle };
}

function inspectShards(path: string): TensorFile {
  const { weightMap, shards } = readShardIndex(path);
  const all = new Map<string, TensorInfo>();
  let fileBytes = 0;
  let metadata: Readonly<Record<string, string>> = {};
  for (const name of shards) {
    const shard = join(dirname(path), name);
    const found = shard.endsWith(".safetensors") ? inspectSafetensors(shard) : inspectPickle(shard);
    fileBytes += found.fileBytes;
    metadata = { ...metadata, ...found.metadata };
    for (const tensor of found.tensors) if (weightMap.get(tensor.name) === name) all.set(tensor.name, tensor);
  }
  const missing = [...weightMap.keys()].filter((key) => !all.has(key));
  if (missing.length > 0)
    throw new CheckpointError(
      `${path}: ${missing.length} tensors are not in the shards that the index names: ${missing.slice(0, 8).join(", ")}.`,
    );
  return { kind: "shards", path, fileBytes, tensors: [...all.values()], metadata, files: shards };
}
