/** Threads that decode, resize and normalise pictures beside the main one. */
import type { Worker } from "node:worker_threads";
import { DataError, InvDiffError } from "../../torch/errors.ts";
import { END, type Request, type Response } from "./messages.ts";
import { type PictureJob, resultBytes, type Write } from "./picture-job.ts";
import { startWorkerFile } from "./start-worker.ts";

export interface ImageWorkers {
  readonly count: number;
  /** Whether every thread is there; one that failed takes no more work. */
  readonly healthy: boolean;
  /**
   * Has a picture prepared; then `use` is called, and must write the result before it returns.
   * Errors: DataError naming the file, which no other picture is affected by; InvDiffError when the thread has failed.
   */
  prepare(job: PictureJob, use: (write: Write) => void): Promise<void>;
  /** Ends the threads; what was asked for and is not done is dropped. */
  end(): Promise<void>;
}

/** Starts `count` threads; they keep the process alive only while there is work. `start` starts one. */
export function startImageWorkers(count: number, start: () => Worker = startWorker): ImageWorkers {
  // Memory of results goes to and fro: fresh pages cost more than the resizing.
  const spare: ArrayBuffer[] = [];
  const threads = Array.from({ length: count }, () => startThread(start()));
  const alive = () => threads.filter((thread) => thread.failure === undefined);
  return {
    count,
    get healthy() {
      return alive().length === count;
    },
    async prepare(job, use) {
      const thread = alive().sort((a, b) => a.load - b.load)[0];
      if (!thread) throw threads[0]!.failure!;
      const bytes = resultBytes(job);
      const at = spare.findIndex(({ byteLength }) => byteLength === bytes);
      const memory = at < 0 ? new ArrayBuffer(bytes) : spare.splice(at, 1)[0]!;
      const result = await thread.ask(job, memory);
      use((target) => target.set(new Uint8Array(result)));
      if (spare.push(result) > 2 * count) spare.shift();
    },
    async end() {
      await Promise.all(threads.map((thread) => thread.end()));
    },
  };
}

interface Thread {
  /** Pictures that it was asked for and has not answered. */
  readonly load: number;
  readonly failure: InvDiffError | undefined;
  ask(job: PictureJob, memory: ArrayBuffer): Promise<ArrayBuffer>;
  end(): Promise<void>;
}

interface Waiting {
  readonly resolve: (memory: ArrayBuffer) => void;
  readonly reject: (error: Error) => void;
}

function startThread(worker: Worker): Thread {
  worker.unref();
  const pending = new Map<number, Waiting>();
  let nextId = 0;
  let failure: InvDiffError | undefined;
  let isOpen = true;
  const fail = (why: string, cause?: unknown): void => {
    failure ??= new InvDiffError(`A thread that reads images has ended: ${why}.`, { cause });
    for (const { reject } of pending.values()) reject(failure);
    pending.clear();
  };
  const exited = new Promise<void>((resolve) => {
    worker.once("exit", (code) => {
      fail(`exit code ${code}`);
      resolve();
    });
  });
  worker.on("error", (error: Error) => fail(error.message, error));
  worker.on("message", ({ id, memory, problem }: Response) => {
    const { resolve, reject } = pending.get(id)!;
    pending.delete(id);
    // While its end is waited for, it keeps the process alive.
    if (pending.size === 0 && isOpen) worker.unref();
    if (!problem) resolve(memory);
    else if (problem.isData) reject(new DataError(problem.error.message, { cause: problem.error.cause }));
    else reject(problem.error);
  });
  return {
    get load() {
      return pending.size;
    },
    get failure() {
      return failure;
    },
    ask(job, memory) {
      const request: Request = { id: nextId++, job, memory };
      return new Promise((resolve, reject) => {
        pending.set(request.id, { resolve, reject });
        worker.ref();
        worker.postMessage(request, [memory, ...(job.bytes ? [job.bytes.buffer as ArrayBuffer] : [])]);
      });
    },
    async end() {
      isOpen = false;
      if (failure === undefined) worker.postMessage(END);
      worker.ref();
      await exited;
    },
  };
}

const startWorker = (): Worker => startWorkerFile("worker", import.meta.url);
