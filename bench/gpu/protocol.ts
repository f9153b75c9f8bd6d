// What the benchmark and its workers, ours and Python's, tell each other: lines of JSON, a case down, its results up.

/** First line of a worker. */
export interface Hello {
  readonly torch: string;
  readonly cuda: string | null;
  readonly cudnn: number | null;
  /** Name of the card, or "cpu". */
  readonly device: string;
  readonly python?: string;
  readonly node?: string;
  /** Which networks Python measures. */
  readonly networks?: string;
}

/** One row of a case in one way. */
export interface Measured {
  readonly variant: string;
  /** Which part of the case: "to latents"; "" where there is one only. */
  readonly row: string;
  /** Milliseconds of one call: a step, a batch, a kernel. */
  readonly milliseconds: readonly number[];
  /** Most memory that tensors had on the device during the case. */
  readonly peakBytes?: number;
  /** Most memory that the allocator held. */
  readonly reservedBytes?: number;
  /** Share of the time in which the device waited for its input. */
  readonly idleShare?: number;
  /** What the reader must know about the row. */
  readonly note?: string;
}

/** Why a way has no numbers; the others of the case may have. */
export type NotMeasured =
  | {
      readonly variant: string;
      readonly outOfMemory: {
        readonly message: string;
        readonly requestedBytes?: number;
        readonly freeBytes?: number;
        readonly totalBytes?: number;
      };
    }
  | { readonly variant: string; readonly error: string };

export type Result = Measured | NotMeasured;

export const isMeasured = (result: Result): result is Measured => "milliseconds" in result;

export interface Answer {
  readonly results: readonly Result[];
}
