// One pass over the training images: their order, batches and mirrors, all from the seed and the number of the epoch.
import { Random } from "../../data/index.ts";

export interface PlannedBatch {
  /** Places in the training part. */
  readonly rows: Int32Array;
  /** 1 for images that are mirrored. */
  readonly flips: Uint8Array;
}

export interface EpochOptions {
  readonly images: number;
  readonly batchSize: number;
  readonly seed: number;
  /** Counted from 1. */
  readonly epoch: number;
  readonly flip: boolean;
}

/**
 * Every image once. The last batch holds what is left, as in the reference; a single image joins the batch before it,
 * because one small image has no batch statistics.
 */
export function epochBatches({ images, batchSize, seed, epoch, flip }: EpochOptions): PlannedBatch[] {
  const order = Int32Array.from({ length: images }, (_, i) => i);
  new Random("classifier-order", seed, epoch).shuffle(order);
  const random = new Random("classifier-flips", seed, epoch);
  const flips = Uint8Array.from(order, () => Number(flip && random.chance(0.5)));
  return ranges(images, batchSize).map(([first, last]) => ({
    rows: order.subarray(first, last),
    flips: flips.subarray(first, last),
  }));
}

function ranges(images: number, batchSize: number): [number, number][] {
  const starts = Array.from({ length: Math.ceil(images / batchSize) }, (_, i) => i * batchSize);
  if (images - starts.at(-1)! === 1 && starts.length > 1) starts.pop();
  return starts.map((start, i) => [start, starts[i + 1] ?? images]);
}

/** Batches in one epoch. */
export const batchesPerEpoch = (images: number, batchSize: number): number =>
  ranges(images, batchSize).length;
