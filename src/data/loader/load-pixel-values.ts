/** Pictures as a network's input: float32 batches [B, 3, height, width], as torchvision's Resize, CenterCrop, ToTensor and Normalize make them. */
import { ConfigError, empty, keep, scope, type Tensor } from "../../torch/index.ts";
import { type Fit, fittedSize } from "../resize.ts";
import { normalizedLevels, resultBytes } from "./picture-job.ts";
import { preparePictures } from "./prepare-pictures.ts";
import { readAhead } from "./read-ahead.ts";
import { leaseWorkers } from "./shared-workers.ts";

export interface PixelValuesOptions extends Fit {
  /** Of each channel, for values from 0 to 1; 0.5 and 0.5 give [-1, 1]. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** Pictures of a batch. */
  readonly batchSize?: number | undefined;
  /** Gives the bytes of a file; absent: they are read here. */
  readonly read?: ((file: string, index: number) => Promise<Uint8Array>) | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** As for `loadImages`. */
  readonly workers?: number | undefined;
}

/** Batches that are made while one is in use. */
const BATCHES_AHEAD = 1;

/**
 * Batches in the order of `files`, the last one with what is left; each is the caller's to dispose of. The next batch is made
 * while one is in use, so memory holds two.
 * Errors: ConfigError for options that cannot be; DataError naming a file, after all batches before its own.
 */
export async function* loadPixelValues(
  files: readonly string[],
  options: PixelValuesOptions,
): AsyncGenerator<Tensor, void, undefined> {
  const { mean, std, batchSize = 32, read, onProgress } = options;
  checkNumbers({ mean, std, batchSize });
  const [height, width] = fittedSize(options);
  const { size, squash, crop, filter } = options;
  const kind = { fit: { size, squash, crop, filter }, levels: normalizedLevels(mean, std) };
  const each = resultBytes(kind);
  using lease = leaseWorkers({ workers: options.workers, values: (files.length * each) / 4 });
  let done = 0;
  const batch = async (number: number, left: AbortSignal): Promise<Tensor> => {
    const first = number * batchSize;
    const count = Math.min(batchSize, files.length - first);
    const values = keep(empty([count, 3, height, width], { dtype: "float32" }));
    try {
      await preparePictures(count, {
        workers: lease.workers,
        signal: options.signal ? AbortSignal.any([options.signal, left]) : left,
        read: read && ((file, i) => read(file, first + i)),
        job: (i) => ({ ...kind, file: files[first + i]! }),
        use(i, write) {
          scope(() => values.select(0, i).withBytes(write));
          onProgress?.(++done, files.length);
        },
      });
      return values;
    } catch (error) {
      values.dispose();
      throw error;
    }
  };
  yield* readAhead(Math.ceil(files.length / batchSize), { ahead: BATCHES_AHEAD }, batch);
}

function checkNumbers({
  mean,
  std,
  batchSize,
}: Required<Pick<PixelValuesOptions, "mean" | "std" | "batchSize">>): void {
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new ConfigError(`batchSize = ${batchSize} was given; expected a whole number of 1 or more.`);
  for (const [name, values] of Object.entries({ mean, std }))
    if (
      values.length !== 3 ||
      !values.every((value) => Number.isFinite(value) && (name === "mean" || value !== 0))
    )
      throw new ConfigError(
        `${name} = [${values.join(", ")}] was given; expected three numbers${name === "std" ? " other than 0" : ""}.`,
      );
}
