// The index of sharded weights (`*.safetensors.index.json`, `*.bin.index.json`), read without trusting it.
import { CheckpointError } from "../torch/index.ts";
import { readJsonObject } from "./json.ts";

export interface ShardIndex {
  /** Tensor name to the name of the file that holds it. */
  readonly weightMap: ReadonlyMap<string, string>;
  /** The files' names, sorted. */
  readonly shards: readonly string[];
  /** Bytes of all tensors, as the writer counted them; a note that Python does not look at either. */
  readonly totalSize: number | undefined;
}

/**
 * Reads and checks an index. Shards lie in the index's own folder: a name with a separator, "..", or a drive is refused.
 * Throws CheckpointError naming the file and the entry.
 */
export function readShardIndex(path: string): ShardIndex {
  const fail = (what: string): never => {
    throw new CheckpointError(`${path} is not a usable index of shards: ${what}.`);
  };
  const { weight_map: map, metadata = {} } = readJsonObject(path, { uniqueKeys: true });
  if (!isObject(map))
    return fail(`weight_map is ${JSON.stringify(map)}; expected tensor names with file names`);
  const weightMap = new Map<string, string>();
  for (const [key, shard] of Object.entries(map)) {
    if (typeof shard !== "string" || !isPlainName(shard))
      return fail(
        `weight_map puts "${key}" into ${JSON.stringify(shard)}; expected the plain name of a file beside the index`,
      );
    weightMap.set(key, shard);
  }
  if (weightMap.size === 0) return fail("weight_map names no tensor");
  if (!isObject(metadata)) return fail(`metadata is ${JSON.stringify(metadata)}; expected an object`);
  const { total_size: totalSize } = metadata;
  if (
    totalSize !== undefined &&
    !(typeof totalSize === "number" && Number.isFinite(totalSize) && totalSize >= 0)
  )
    return fail(`metadata.total_size is ${JSON.stringify(totalSize)}; expected a number of bytes`);
  return { weightMap, shards: [...new Set(weightMap.values())].sort(), totalSize };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A file name with nothing that could lead out of the folder, on any system; NUL ends names in C. */
const isPlainName = (name: string) => !/^\.{0,2}$|[/\\:\0]/.test(name);
