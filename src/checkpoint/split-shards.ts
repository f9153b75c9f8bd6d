// Which tensor goes into which shard: the rule of Python's huggingface_hub, so that the same model gives the same files.

export interface SizedKey {
  readonly key: string;
  readonly bytes: number;
}

/**
 * Fills shards in the given order, up to `maxBytes` each. A tensor that is larger gets a shard of its own, numbered before
 * the one that is being filled. One shard means that the weights need no index.
 */
export function splitShards(tensors: readonly SizedKey[], maxBytes: number): string[][] {
  const shards: string[][] = [];
  let current: string[] = [];
  let filled = 0;
  for (const { key, bytes } of tensors) {
    if (bytes > maxBytes) {
      shards.push([key]);
      continue;
    }
    if (filled + bytes > maxBytes) {
      shards.push(current);
      current = [];
      filled = 0;
    }
    current.push(key);
    filled += bytes;
  }
  if (current.length > 0 || shards.length === 0) shards.push(current);
  return shards;
}
