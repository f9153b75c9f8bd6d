// Many rows through a frozen network: batch by batch, with a turn of the event loop in between.
import { setImmediate as nextTurn } from "node:timers/promises";

import { cat, inferenceMode, keep, scope, type Tensor } from "../../torch/index.ts";

export interface MapBatchesOptions {
  readonly batchSize: number;
  /** Stops before the next batch by throwing the signal's reason; nothing stays allocated. */
  readonly signal?: AbortSignal;
  readonly onBatch?: (done: number, total: number) => void;
}

/** A tensor computed without gradients that no scope owns: the caller disposes of it. */
export const frozen = (compute: () => Tensor): Tensor => keep(inferenceMode(() => scope(compute)));

/** The results of `batch(first, last)` for the rows 0..total, joined along dimension 0; the caller disposes of it. */
export async function mapBatches(
  total: number,
  { batchSize, signal, onBatch }: MapBatchesOptions,
  batch: (first: number, last: number) => Tensor | Promise<Tensor>,
): Promise<Tensor> {
  const parts: Tensor[] = [];
  try {
    for (let first = 0; first < total; first += batchSize) {
      signal?.throwIfAborted();
      const last = Math.min(first + batchSize, total);
      parts.push(await batch(first, last));
      onBatch?.(last, total);
      await nextTurn();
    }
    return keep(scope(() => cat(parts, 0)));
  } finally {
    for (const part of parts) part.dispose();
  }
}
