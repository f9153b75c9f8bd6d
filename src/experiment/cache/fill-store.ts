// Fills a row store with what it lacks: batch by batch, a shard whenever enough rows or time have come together, the rest
// when the work is stopped. A killed process loses what is not in a shard yet.
import { setImmediate as nextTurn } from "node:timers/promises";

import { cat, keep, scope, type Tensor, UserError } from "../../torch/index.ts";
import type { RowStore } from "./row-store.ts";
import { MAX_SHARD_ROWS } from "./shard.ts";

/** A shard is written after this many bytes or milliseconds. */
const SHARD_BYTES = 128 * 2 ** 20;
const SHARD_MS = 60_000;

/** Something that gives one or more rows, such as a picture and its mirror image. */
export interface Entry<T> {
  readonly value: T;
  readonly keys: readonly string[];
}

/** One row to make: of the entry at this index of the batch, the row of its key number `variant`. */
export interface WantedRow {
  readonly entry: number;
  readonly variant: number;
}

export interface FillOptions<T, P extends Disposable> {
  readonly batchSize: number;
  /** Reads what a batch needs, while the batch before is encoded; what it gives is disposed of after `encode`. */
  readonly prepare: (values: readonly T[]) => Promise<P>;
  /** float32 rows in the order of `wanted`, on the CPU, owned by no scope. */
  readonly encode: (prepared: P, wanted: readonly WantedRow[]) => Tensor;
  readonly shardRows?: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface FillResult {
  /** Rows that were encoded. */
  readonly rows: number;
  readonly bytes: number;
}

/** Rows in a full shard of a store. */
export const shardRowsOf = (rowShape: readonly number[]): number => {
  const bytes = 4 * rowShape.reduce((product, size) => product * size, 1);
  return Math.max(1, Math.min(MAX_SHARD_ROWS, Math.floor(SHARD_BYTES / bytes)));
};

/** Encodes every row that the store lacks. Errors: the signal's reason, after what was done is saved; those of `prepare` and `encode`. */
export async function fillStore<T, P extends Disposable>(
  store: RowStore,
  entries: readonly Entry<T>[],
  options: FillOptions<T, P>,
): Promise<FillResult> {
  const { batchSize, prepare, encode, signal, onProgress, shardRows = shardRowsOf(store.rowShape) } = options;
  const lacks = ({ keys }: Entry<T>): boolean => keys.some((key) => !store.has(key));
  let todo = entries.filter(lacks);
  const total = todo.length;
  const pending = new PendingRows(store, shardRows);
  const take = (): { batch: Entry<T>[]; prepared: Promise<P> } | undefined => {
    const batch = todo.slice(0, batchSize);
    if (batch.length === 0) return undefined;
    todo = todo.slice(batchSize);
    const prepared = prepare(batch.map(({ value }) => value));
    // It may fail before anyone waits for it; whoever waits gets the error.
    prepared.catch(() => undefined);
    return { batch, prepared };
  };
  let next = take();
  try {
    if (total > 0) onProgress?.(0, total);
    while (next) {
      const { batch, prepared } = next;
      using ready = await prepared;
      signal?.throwIfAborted();
      next = take();
      const wanted = batch.flatMap(({ keys }, entry) =>
        keys.flatMap((key, variant) => (store.has(key) ? [] : [{ entry, variant }])),
      );
      if (wanted.length > 0)
        pending.add(
          wanted.map(({ entry, variant }) => batch[entry]!.keys[variant]!),
          encode(ready, wanted),
        );
      if (pending.flushDue()) {
        // Another process may have done a part of the rest.
        await store.refresh();
        todo = todo.filter(lacks);
      }
      onProgress?.(total - todo.length - (next?.batch.length ?? 0), total);
      await nextTurn();
    }
    pending.flush();
  } catch (error) {
    void next?.prepared.then(
      (prepared) => prepared[Symbol.dispose](),
      () => undefined,
    );
    // A broken picture, or Ctrl-C: what is encoded is worth keeping. A full disk is not asked twice.
    if (signal?.aborted || error instanceof UserError) pending.flush();
    throw error;
  } finally {
    pending.dispose();
  }
  return { rows: pending.rows, bytes: pending.bytes };
}

/** Encoded rows that no shard holds yet. */
class PendingRows {
  rows = 0;
  bytes = 0;
  readonly #store: RowStore;
  readonly #shardRows: number;
  #keys: string[] = [];
  #parts: Tensor[] = [];
  #flushedAt = performance.now();

  constructor(store: RowStore, shardRows: number) {
    this.#store = store;
    this.#shardRows = shardRows;
  }

  add(keys: readonly string[], rows: Tensor): void {
    this.#keys.push(...keys);
    this.#parts.push(rows);
  }

  /** Writes full shards, or after a while what there is; true when something was written. */
  flushDue(): boolean {
    const isLate = performance.now() - this.#flushedAt > SHARD_MS;
    if (this.#keys.length === 0 || (this.#keys.length < this.#shardRows && !isLate)) return false;
    this.flush(isLate ? this.#keys.length : this.#keys.length - (this.#keys.length % this.#shardRows));
    return true;
  }

  /** Writes the first `count` rows. */
  flush(count = this.#keys.length): void {
    if (count === 0) return;
    const all = keep(scope(() => cat(this.#parts, 0)));
    for (const part of this.#parts) part.dispose();
    this.#parts = [all];
    scope(() => {
      for (let first = 0; first < count; first += this.#shardRows) {
        const last = Math.min(first + this.#shardRows, count);
        this.bytes += this.#store.append(this.#keys.slice(first, last), all.slice(0, first, last));
      }
    });
    this.rows += count;
    this.#flushedAt = performance.now();
    const rest = this.#keys.slice(count);
    const left = rest.length === 0 ? [] : [keep(scope(() => all.slice(0, count).clone()))];
    this.dispose();
    this.#keys = rest;
    this.#parts = left;
  }

  dispose(): void {
    for (const part of this.#parts) part.dispose();
    this.#parts = [];
    this.#keys = [];
  }
}
