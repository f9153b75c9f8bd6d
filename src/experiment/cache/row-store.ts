// A folder of shards as one table: rows by key, read from mapped files, so that memory does not grow with the images.
// Several processes may share it: files only appear and, when damaged, vanish; none is changed.
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";

import type { RowTable } from "../../data/index.ts";
import {
  cat,
  InvDiffError,
  isAlive,
  keep,
  scope,
  type Tensor,
  tensor,
  UserError,
  writeFileAtomic,
} from "../../torch/index.ts";
import { isShardName, MAX_SHARD_ROWS, openShard, type Shard, writeShard } from "./shard.ts";

export interface RowStoreOptions {
  /** Shape of one row. */
  readonly rowShape: readonly number[];
  /** What the folder's name stands for, kept beside the shards for people. */
  readonly about?: Readonly<Record<string, unknown>>;
  readonly signal?: AbortSignal | undefined;
  /** Shards checked so far. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface RowStore extends Disposable {
  readonly rowShape: readonly number[];
  /** Damaged files that were removed. */
  readonly damaged: readonly string[];
  has(key: string): boolean;
  /** Takes in what other processes have written since. */
  refresh(): Promise<void>;
  /** Writes rows as a new shard; gives its size in bytes. */
  append(keys: readonly string[], rows: Tensor): number;
  /** Where the rows are, for `gather`; -1 for a key that is missing. */
  locate(keys: readonly string[]): Int32Array;
  /** The rows at these places, float32 [places, ...rowShape] on the CPU; the caller disposes of them. */
  gather(places: Int32Array): Tensor;
  /** The files of the rows, for another thread; places are those of `locate`. */
  table(): RowTable;
}

/** Opens (or makes) a folder of shards and checks every one; damaged files are removed. Errors: UserError. */
export async function openRowStore(folder: string, options: RowStoreOptions): Promise<RowStore> {
  const { rowShape } = options;
  prepareFolder(folder, options.about);
  const shards: Shard[] = [];
  const names = new Set<string>();
  const places = new Map<string, number>();
  const damaged: string[] = [];
  const add = (shard: Shard, name: string): void => {
    const first = shards.push(shard) - 1;
    names.add(name);
    shard.keys.forEach((key, row) => {
      if (!places.has(key)) places.set(key, first * MAX_SHARD_ROWS + row);
    });
  };
  const dispose = (): void => {
    for (const { rows } of shards) rows.dispose();
  };
  const refresh = async (report?: RowStoreOptions["onProgress"]): Promise<void> => {
    const fresh = readdirSync(folder).filter((name) => isShardName(name) && !names.has(name));
    for (const [i, name] of fresh.sort().entries()) {
      options.signal?.throwIfAborted();
      const path = join(folder, name);
      const shard = openShard(path);
      if (shard && sameShape(shard.rows.shape.slice(1), rowShape)) add(shard, name);
      else {
        shard?.rows.dispose();
        rmSync(path, { force: true });
        damaged.push(path);
      }
      report?.(i + 1, fresh.length);
      await nextTurn();
    }
  };
  try {
    await refresh(options.onProgress);
  } catch (error) {
    dispose();
    throw error;
  }
  return {
    rowShape,
    damaged,
    has: (key) => places.has(key),
    refresh: () => refresh(),
    append(keys, rows) {
      const path = writeShard(folder, keys, rows);
      const shard = openShard(path);
      if (!shard)
        throw new UserError(`${path} was written, but does not read back the same; check the disk.`);
      const name = path.slice(folder.length + 1);
      if (names.has(name)) shard.rows.dispose();
      else add(shard, name);
      return rows.numel * 4;
    },
    locate: (keys) => Int32Array.from(keys, (key) => places.get(key) ?? -1),
    gather: (at) => gather(shards, at),
    table: () => ({
      rowShape,
      files: shards.map(({ path, begin }) => ({ path, begin })),
      placesPerFile: MAX_SHARD_ROWS,
    }),
    [Symbol.dispose]: dispose,
  };
}

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, i) => size === b[i]);

/** One selection per shard, then the order of the request. */
function gather(shards: readonly Shard[], at: Int32Array): Tensor {
  const byShard = new Map<number, number[]>();
  at.forEach((place, position) => {
    const shard = Math.floor(place / MAX_SHARD_ROWS);
    if (!shards[shard]) throw new InvDiffError(`There is no row at place ${place} of the cache.`);
    const own = byShard.get(shard) ?? [];
    own.push(position);
    byShard.set(shard, own);
  });
  return keep(
    scope(() => {
      const indices = (list: Int32Array): Tensor => tensor(list, { dtype: "int64" });
      const parts = [...byShard].map(([shard, positions]) => {
        const rows = Int32Array.from(positions, (position) => at[position]! % MAX_SHARD_ROWS);
        return shards[shard]!.rows.indexSelect(0, indices(rows));
      });
      if (parts.length === 1) return parts[0]!;
      const order = new Int32Array(at.length);
      [...byShard.values()].flat().forEach((position, i) => (order[position] = i));
      return cat(parts, 0).indexSelect(0, indices(order));
    }),
  );
}

function prepareFolder(folder: string, about: RowStoreOptions["about"]): void {
  try {
    mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(folder)) if (isLeftOver(name)) rmSync(join(folder, name), { force: true });
    if (about) writeFileAtomic(join(folder, "about.json"), `${JSON.stringify(about, null, 2)}\n`);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOSPC" || code === "EDQUOT") throw cause;
    throw new UserError(
      `The cache folder ${folder} cannot be written: ${message}. Choose another one (data.cacheFolder), or work without it (data.cache: false).`,
      { cause },
    );
  }
}

/** A file that a killed process was writing. */
function isLeftOver(name: string): boolean {
  const pid = Number(/\.tmp-(\d+)$/.exec(name)?.[1] ?? 0);
  return pid !== 0 && !isAlive(pid);
}
