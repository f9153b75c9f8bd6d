// Rows of a cache, read by a thread of its own into memory that both sides see.
import type { Worker } from "node:worker_threads";
import type { RowTable } from "../../data/index.ts";
import { startWorkerFile } from "../../data/loader/start-worker.ts";
import { InvDiffError, UserError } from "../../torch/index.ts";
import { rowBytes } from "./gather-rows.ts";

/** What the thread is asked for: rows of each table, one table's after the other's. */
export interface RowRequest {
  readonly id: number;
  readonly places: readonly Int32Array[];
  readonly memory: SharedArrayBuffer;
}

export interface RowAnswer {
  readonly id: number;
  readonly problem?: { readonly message: string; readonly cause?: unknown } | undefined;
}

export interface RowReader extends AsyncDisposable {
  /**
   * The rows at these places of each table, as bytes in memory that belongs to `slot` and is written again by its next read.
   * Errors: UserError naming a file that cannot be read; InvDiffError when the thread has ended.
   */
  read(slot: number, places: readonly Int32Array[]): Promise<Uint8Array[]>;
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Starts the thread; it keeps the process alive only while it is asked for something. `start` starts another one in tests. */
export function startRowReader(
  tables: readonly RowTable[],
  start: (tables: readonly RowTable[]) => Worker = startThread,
): RowReader {
  const worker = start(tables);
  worker.unref();
  const memories: SharedArrayBuffer[] = [];
  const waiting = new Map<number, Waiting>();
  let nextId = 0;
  let failure: InvDiffError | undefined;
  let isOpen = true;
  const fail = (why: string, cause?: unknown): void => {
    failure ??= new InvDiffError(`The thread that reads the cache has ended: ${why}.`, { cause });
    for (const { reject } of waiting.values()) reject(failure);
    waiting.clear();
  };
  worker.on("error", (error: Error) => fail(error.message, error));
  worker.once("exit", (code) => fail(`exit code ${code}`));
  worker.on("message", ({ id, problem }: RowAnswer) => {
    const { resolve, reject } = waiting.get(id)!;
    waiting.delete(id);
    // While its end is waited for, it keeps the process alive.
    if (waiting.size === 0 && isOpen) worker.unref();
    if (problem) reject(new UserError(problem.message, { cause: problem.cause }));
    else resolve();
  });
  return {
    async read(slot, places) {
      if (failure) throw failure;
      const sizes = places.map((own, i) => own.length * rowBytes(tables[i]!));
      const total = sizes.reduce((sum, size) => sum + size, 0);
      if ((memories[slot]?.byteLength ?? -1) < total) memories[slot] = new SharedArrayBuffer(total);
      const memory = memories[slot]!;
      const request: RowRequest = { id: nextId++, places, memory };
      await new Promise<void>((resolve, reject) => {
        waiting.set(request.id, { resolve, reject });
        worker.ref();
        worker.postMessage(request);
      });
      let end = 0;
      return sizes.map((size) => new Uint8Array(memory, (end += size) - size, size));
    },
    async [Symbol.asyncDispose]() {
      isOpen = false;
      await worker.terminate();
    },
  };
}

const startThread = (tables: readonly RowTable[]): Worker =>
  startWorkerFile("row-worker", import.meta.url, { workerData: tables });
