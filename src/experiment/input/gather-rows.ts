// Rows of files into one piece of memory, several reads at a time. It needs no tensors, so that a thread of its own starts fast.
import { type FileHandle, open } from "node:fs/promises";
import { inParallel } from "../../data/in-parallel.ts";
import type { RowTable } from "../../data/set-reading.ts";
import { UserError } from "../../torch/errors.ts";

/** Reads under way at once: disks and networks answer several as fast as one. */
const READS_AT_ONCE = 8;
/** Files kept open; many times the reads, so that none is closed under a read. */
const MAX_OPEN = 256;

/** Files by path, opened when they are first read. */
export interface OpenFiles extends AsyncDisposable {
  get(path: string): Promise<FileHandle>;
}

/** At most `limit` files are open; the one that was not asked for the longest is closed. */
export function openFiles(limit = MAX_OPEN): OpenFiles {
  const handles = new Map<string, Promise<FileHandle>>();
  const close = (handle: Promise<FileHandle>): Promise<void> =>
    handle.then((file) => file.close()).catch(() => undefined);
  return {
    get(path) {
      const handle = handles.get(path) ?? open(path, "r");
      // The order of a map is that of its last use.
      handles.delete(path);
      handles.set(path, handle);
      if (handles.size > limit) {
        const [oldest, unused] = handles.entries().next().value!;
        handles.delete(oldest);
        void close(unused);
      }
      return handle;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(Array.from(handles.values(), close));
    },
  };
}

/** Bytes of a row. */
export const rowBytes = ({ rowShape }: Pick<RowTable, "rowShape">): number =>
  rowShape.reduce((product, size) => product * size, Float32Array.BYTES_PER_ELEMENT);

/**
 * Writes the rows at `places` into `target`, one after the other; a row that is asked for twice is read once.
 * Errors: UserError naming a file that is gone, ends too early or cannot be read.
 */
export async function gatherRows(
  files: OpenFiles,
  table: RowTable,
  places: Int32Array,
  target: Uint8Array,
): Promise<void> {
  const bytes = rowBytes(table);
  const firstAt = new Map<number, number>();
  places.forEach((place, i) => void (firstAt.has(place) || firstAt.set(place, i)));
  // In the order of the files, which suits disks with heads.
  const distinct = [...firstAt.keys()].sort((a, b) => a - b);
  await inParallel(distinct.length, { limit: READS_AT_ONCE }, async (n) => {
    const place = distinct[n]!;
    const file = table.files[Math.floor(place / table.placesPerFile)]!;
    const position = file.begin + (place % table.placesPerFile) * bytes;
    await readRow(files, file.path, { target, at: firstAt.get(place)! * bytes, bytes, position });
  });
  places.forEach((place, i) => {
    const first = firstAt.get(place)!;
    if (first !== i) target.copyWithin(i * bytes, first * bytes, (first + 1) * bytes);
  });
}

interface Piece {
  readonly target: Uint8Array;
  readonly at: number;
  readonly bytes: number;
  readonly position: number;
}

async function readRow(
  files: OpenFiles,
  path: string,
  { target, at, bytes, position }: Piece,
): Promise<void> {
  const fail = (why: string, cause?: unknown): never => {
    throw new UserError(
      `${path} of the cache cannot be read: ${why}. Start the run again: what the cache lacks is encoded anew.`,
      { cause },
    );
  };
  let done = 0;
  while (done < bytes) {
    let bytesRead = 0;
    try {
      const file = await files.get(path);
      ({ bytesRead } = await file.read(target, at + done, bytes - done, position + done));
    } catch (error) {
      fail((error as Error).message, error);
    }
    if (bytesRead === 0) fail(`it ends at byte ${position + done}, within a row`);
    done += bytesRead;
  }
}
