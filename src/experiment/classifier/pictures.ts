// The pictures of one part as uint8 squares: kept in memory where they fit, else decoded again each time, ahead of the step.
import { preparePictures } from "../../data/loader/prepare-pictures.ts";
import { leaseWorkers } from "../../data/loader/shared-workers.ts";
import { mirror } from "../../data/resize.ts";
import { empty, keep, type Tensor } from "../../torch/index.ts";
import { squashTo } from "../../data/imagenet.ts";

export interface PictureOptions {
  readonly size: number;
  /** Whether what was decoded once stays in memory. */
  readonly kept: boolean;
}

export interface BatchOptions {
  /** Not 0 for pictures that are mirrored. */
  readonly flips?: ArrayLike<number> | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Pictures extends Disposable {
  readonly count: number;
  /** Squares of these places: uint8 [n, 3, size, size], the caller's to dispose of. */
  batch(rows: ArrayLike<number>, options?: BatchOptions): Promise<Tensor>;
}

export interface LabelledPictures {
  readonly pictures: Pictures;
  /** [images] */
  readonly labels: Int32Array;
}

/** Batches that are decoded while one is in use. */
export const BATCHES_AHEAD = 2;

/** Pictures by reference; nothing is read before a batch asks for it. Errors of `batch`: DataError naming the picture. */
export function openPictures(files: readonly string[], { size, kept }: PictureOptions): Pictures {
  const each = 3 * size * size;
  const lease = leaseWorkers({ values: files.length * each });
  const squares = new Array<Uint8Array | undefined>(files.length);
  return {
    count: files.length,
    async batch(rows, { flips, signal } = {}) {
      const images = keep(empty([rows.length, 3, size, size], { dtype: "uint8" }));
      const part = (i: number, use: (bytes: Uint8Array) => void) =>
        images.withBytes((bytes) => use(bytes.subarray(i * each, (i + 1) * each)));
      const put = (i: number, square: Uint8Array) =>
        part(i, (bytes) => {
          bytes.set(square);
          if (flips?.[i]) mirror(bytes, size);
        });
      const missing: number[] = [];
      for (let i = 0; i < rows.length; i++) {
        const square = squares[rows[i]!];
        if (square) put(i, square);
        else missing.push(i);
      }
      try {
        await preparePictures(missing.length, {
          ...{ signal, workers: lease.workers },
          job: (k) => {
            const i = missing[k]!;
            const mirrored = !kept && Boolean(flips?.[i]);
            return { file: files[rows[i]!]!, fit: squashTo(size), placement: { mirrored } };
          },
          use(k, write) {
            const i = missing[k]!;
            if (!kept) return part(i, write);
            const square = new Uint8Array(each);
            write(square);
            squares[rows[i]!] = square;
            put(i, square);
          },
        });
        return images;
      } catch (error) {
        images.dispose();
        throw error;
      }
    },
    [Symbol.dispose]() {
      lease[Symbol.dispose]();
    },
  };
}
