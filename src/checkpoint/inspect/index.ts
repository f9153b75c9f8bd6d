// `invdiff inspect`: what a model folder, a file of tensors, a checkpoint or a pickle contains, without loading it.
import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { CheckpointError, InvDiffError } from "../../torch/index.ts";
import { isFile } from "../file-kind.ts";
import { readJsonObject } from "../json.ts";
import { readShardIndex } from "../shard-index.ts";
import { inspectFile, SHARD_INDEX, TENSOR_FILE } from "./inspect-file.ts";
import type { BrokenFile, FolderInfo, Inspection } from "./inspection.ts";

export { scalarsByDtype } from "./inspection.ts";
export type { BrokenFile, FolderInfo, Inspection, TensorFile, TensorInfo } from "./inspection.ts";

/** Folders deeper than this are not looked into. */
const MAX_DEPTH = 4;
/** Files that say what a folder is, in the order tried. */
const CONFIG_FILES = [
  "model_index.json",
  "config.json",
  "scheduler_config.json",
  "tokenizer_config.json",
  "preprocessor_config.json",
  "guidance.json",
  "args.json",
];

/**
 * Describes a file or folder from headers and configurations; no tensor data is read and nothing in a pickle runs.
 * Files below a folder that are broken are items of their own. Errors: CheckpointError when `path` does not exist or
 * holds nothing that can be described.
 */
export function inspectPath(path: string): Inspection {
  if (!existsSync(path))
    throw new CheckpointError(`${path} does not exist; expected a model folder or file.`);
  if (isFile(path)) {
    if (TENSOR_FILE.test(path) || SHARD_INDEX.test(path)) return inspectFile(path);
    throw new CheckpointError(
      `${path} is no file of tensors; expected .safetensors, .bin, .pth, .pt, .ckpt, .pkl, an index of shards, or a folder.`,
    );
  }
  const found = inspectFolder(path, 0);
  if (found) return found;
  throw new CheckpointError(
    `${path} holds no model: no configuration and no file of tensors in it or up to ${MAX_DEPTH} folders below.`,
  );
}

/** Undefined for a folder in which there is nothing to describe. */
function inspectFolder(path: string, depth: number): FolderInfo | undefined {
  const entries = readdirSync(path, { withFileTypes: true })
    .filter(({ name }) => !name.startsWith("."))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const names = entries.map(({ name }) => name);
  const configFile = CONFIG_FILES.find((name) => names.includes(name) && isFile(join(path, name)));
  const { config, broken } = readConfig(configFile === undefined ? undefined : join(path, configFile));
  const items: Inspection[] = broken ? [broken] : [];
  const inShards = new Set<string>();
  for (const name of names.filter((entry) => SHARD_INDEX.test(entry))) {
    const found = inspectFile(join(path, name));
    items.push(found);
    for (const shard of shardsOf(join(path, name))) inShards.add(shard);
  }
  for (const name of names)
    if (TENSOR_FILE.test(name) && !inShards.has(name) && isFile(join(path, name)))
      items.push(inspectFile(join(path, name)));
  for (const entry of entries) {
    if (!entry.isDirectory() || depth >= MAX_DEPTH) continue;
    const below = inspectFolder(join(path, entry.name), depth + 1);
    if (below) items.push(below);
  }
  if (items.length === 0 && config === undefined) return undefined;
  return { kind: "folder", path, what: whatIs(path, names, config), config, items };
}

function readConfig(path: string | undefined): {
  config: Readonly<Record<string, unknown>> | undefined;
  broken?: BrokenFile;
} {
  if (path === undefined) return { config: undefined };
  try {
    return { config: readJsonObject(path) };
  } catch (error) {
    if (!(error instanceof InvDiffError)) throw error;
    return { config: undefined, broken: { kind: "broken", path, error: error.message } };
  }
}

function shardsOf(index: string): readonly string[] {
  try {
    return readShardIndex(index).shards;
  } catch {
    return []; // the index is an item of its own, and says what is wrong
  }
}

function whatIs(
  path: string,
  names: readonly string[],
  config: Readonly<Record<string, unknown>> | undefined,
): string | undefined {
  if (names.includes("unet_delta")) return "InvDiff checkpoint";
  const { _class_name: diffusers, architectures, tokenizer_class: tokenizer } = config ?? {};
  const transformers = Array.isArray(architectures) ? (architectures[0] as unknown) : undefined;
  const named = [diffusers, transformers, tokenizer, config?.["image_processor_type"]].find(
    (value) => typeof value === "string",
  );
  if (typeof named === "string") return named;
  return config?.["form"] === undefined ? undefined : `guidance (${basename(path)})`;
}
