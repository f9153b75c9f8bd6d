// Weights split over several files, as one state dict.
import { dirname, join } from "node:path";
import { CheckpointError, type Tensor } from "../torch/index.ts";
import { isFile } from "./file-kind.ts";
import { readShardIndex, type ShardIndex } from "./shard-index.ts";
import { readWeightFile } from "./weight-file.ts";

/** Keys listed of each kind of problem; the rest is counted. */
const MAX_LISTED = 20;

/**
 * The tensors that an index of shards names, in the index's order, each mapped from its shard; the caller owns them.
 * Throws CheckpointError listing all missing shards, or every key whose shard does not hold it, and every key that a shard
 * holds without the index saying so; nothing stays mapped then.
 */
export function readSharded(indexPath: string): Map<string, Tensor> {
  const index = readShardIndex(indexPath);
  const folder = dirname(indexPath);
  const missing = index.shards.filter((shard) => !isFile(join(folder, shard)));
  if (missing.length > 0)
    throw new CheckpointError(
      `${indexPath} names ${index.shards.length} shards, of which ${missing.length} are missing: ${missing.join(", ")}.`,
    );
  const shards = new Map<string, Map<string, Tensor>>();
  try {
    for (const shard of index.shards) shards.set(shard, readWeightFile(join(folder, shard)));
    checkKeys(indexPath, index, shards);
  } catch (error) {
    for (const tensors of shards.values()) for (const tensor of tensors.values()) tensor.dispose();
    throw error;
  }
  return new Map([...index.weightMap].map(([key, shard]) => [key, shards.get(shard)!.get(key)!]));
}

function checkKeys(
  indexPath: string,
  { weightMap }: ShardIndex,
  shards: ReadonlyMap<string, ReadonlyMap<string, Tensor>>,
): void {
  const absent = [...weightMap]
    .filter(([key, shard]) => shards.get(shard)?.has(key) !== true)
    .map(([key, shard]) => `${key} (${shard})`);
  const held = [...shards].flatMap(([shard, tensors]) => [...tensors.keys()].map((key) => ({ key, shard })));
  const elsewhere = held.filter(({ key, shard }) => weightMap.get(key) !== shard);
  const list = (those: readonly { key: string; shard: string }[]) =>
    those.map(({ key, shard }) => `${key} (${shard})`);
  const problems = [
    ...part("keys that their shard does not hold", absent),
    ...part(
      "keys that two shards hold",
      list(elsewhere.filter(({ key }) => weightMap.has(key) && shards.get(weightMap.get(key)!)!.has(key))),
    ),
    ...part(
      "keys that a shard holds and the index does not know",
      list(elsewhere.filter(({ key }) => !weightMap.has(key))),
    ),
  ];
  if (problems.length > 0)
    throw new CheckpointError(
      `${indexPath} does not fit its shards.\n${problems.join("\n")}\nIndex and shards must come from the same save.`,
    );
}

function part(title: string, keys: readonly string[]): string[] {
  if (keys.length === 0) return [];
  const rest = keys.length > MAX_LISTED ? [`  and ${keys.length - MAX_LISTED} more`] : [];
  return [`${keys.length} ${title}:`, ...keys.slice(0, MAX_LISTED).map((key) => `  ${key}`), ...rest];
}
