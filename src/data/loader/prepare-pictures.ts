/** Many pictures, a few at a time: read here or by threads, results in any order by their number. */
import { isParquetRef, readImage } from "../image-ref.ts";
import { inParallel } from "../in-parallel.ts";
import { type PictureJob, preparePicture, type Write } from "./picture-job.ts";
import type { ImageWorkers } from "./image-workers.ts";

export interface PreparePicturesOptions {
  /** What is done with each picture. */
  readonly job: (index: number) => PictureJob;
  /** Called as soon as a picture is there; must write its result before it returns. */
  readonly use: (index: number, write: Write) => void;
  /** Gives the bytes of a picture; absent: they are read from its file. */
  readonly read?: ((file: string, index: number) => Promise<Uint8Array>) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Threads; absent: this one does what the decoder's do not. */
  readonly workers?: ImageWorkers | undefined;
  /** Pictures that are read and decoded at once without threads. */
  readonly concurrency?: number | undefined;
}

/** Pictures that each thread has been asked for: one resized, one decoded, one to go on with. */
const AHEAD_PER_WORKER = 3;

/** Prepares pictures 0..count-1. Errors: DataError naming the file; the signal's reason; those of `read`. */
export async function preparePictures(
  count: number,
  { job, use, read, signal, concurrency = 4, workers }: PreparePicturesOptions,
): Promise<void> {
  signal?.throwIfAborted();
  const limit = workers ? AHEAD_PER_WORKER * workers.count : concurrency;
  await inParallel(count, { limit, signal }, async (index) => {
    const task = job(index);
    const bytes = await (read ? read(task.file, index) : contained(task.file));
    if (!workers) return use(index, await preparePicture({ ...task, bytes }));
    // A copy, since the bytes may be part of something larger that is still needed here.
    const own = bytes && new Uint8Array(bytes);
    await workers.prepare({ ...task, bytes: own }, (write) => use(index, write));
  });
}

/** Bytes that lie in no file of their own. */
const contained = (file: string): Promise<Uint8Array> | undefined =>
  isParquetRef(file) ? readImage(file) : undefined;
