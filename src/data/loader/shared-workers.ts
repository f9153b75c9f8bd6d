/** The image threads of the process: started by the first job that is worth it, ended when none has come for a while. */
import { availableParallelism } from "node:os";
import { type ImageWorkers, startImageWorkers } from "./image-workers.ts";

/** Threads when nobody says how many. */
const DEFAULT_COUNT = Math.min(availableParallelism(), 8);
/** Values of results from which on starting threads pays: about 16 pictures of 512 pixels. */
const WORTH_STARTING = 12_000_000;
const IDLE_MS = 5_000;

interface Shared {
  readonly workers: ImageWorkers;
  users: number;
  timer?: NodeJS.Timeout;
}

/** By the number of threads. */
const running = new Map<number, Shared>();

export interface WorkerChoice {
  /** Threads; 0 for none; absent: none for a small job, else as many as there are processors, up to 8. */
  readonly workers?: number | undefined;
  /** Values of all results together. */
  readonly values: number;
}

/** Threads that are used together with others; to be disposed of when they are no longer used. */
export interface WorkersLease extends Disposable {
  /** Undefined when the job is too small for threads. */
  readonly workers: ImageWorkers | undefined;
}

/** Threads for a job. */
export function leaseWorkers({ workers: wanted, values }: WorkerChoice): WorkersLease {
  const count = wanted ?? DEFAULT_COUNT;
  const isWorth = wanted !== undefined || values >= WORTH_STARTING || running.has(count);
  if (count === 0 || !isWorth) return { workers: undefined, [Symbol.dispose]: () => undefined };
  const shared = borrow(count);
  return { workers: shared.workers, [Symbol.dispose]: () => giveBack(count, shared) };
}

function borrow(count: number): Shared {
  let shared = running.get(count);
  if (!shared?.workers.healthy) {
    shared = { workers: startImageWorkers(count), users: 0 };
    running.set(count, shared);
  }
  clearTimeout(shared.timer);
  shared.users++;
  return shared;
}

function giveBack(count: number, shared: Shared): void {
  if (--shared.users > 0) return;
  if (running.get(count) !== shared) {
    // Others have replaced it, since a thread failed.
    void shared.workers.end();
    return;
  }
  shared.timer = setTimeout(() => {
    running.delete(count);
    void shared.workers.end();
  }, IDLE_MS).unref();
}
