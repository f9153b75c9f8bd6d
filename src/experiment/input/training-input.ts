// What feeds a training: batches in the order of the steps, whoever reads them and however far ahead.
import type { Batches, BatchState, DiffusionBatch, DrawOptions, TrainingSet } from "../../data/index.ts";

export interface InputOptions {
  readonly set: TrainingSet;
  /** Batches of all rows of a step; they always stand after the step whose first part was given last, however far is read ahead. */
  readonly batches: Batches;
  readonly draw: DrawOptions;
  /** Every random number depends on it and on the step alone. */
  readonly seed: number;
  /** Parts of a step; default 1. */
  readonly accumulation?: number | undefined;
  /** Steps first..last-1 are given, counted from 0. */
  readonly first: number;
  readonly last: number;
  /** Parts read while one is in use; default 2 for a device with memory of its own, 0 (each read in its turn) for the CPU. */
  readonly ahead?: number | undefined;
  /** Ends a waiting `next` with its reason, before the batches go on. */
  readonly signal?: AbortSignal | undefined;
}

/** One part of a step. Dispose of it when everything that uses it is queued in the current stream: that ends the part's time. */
export interface InputBatch extends Disposable {
  readonly step: number;
  /** 0 to accumulation - 1. */
  readonly part: number;
  /** Images of this part, [B]. */
  readonly rows: Int32Array;
  /** Images of the whole step, [accumulation B]. */
  readonly stepRows: Int32Array;
  /** Where the batches stood before this step, for a checkpoint that draws it again; stays valid. */
  readonly position: BatchState;
  /** On the set's device, for the current stream; the memory belongs to the input and is written again after the disposal. */
  readonly batch: DiffusionBatch;
}

export interface TrainingInput extends AsyncDisposable {
  /**
   * The next part; the one before must be disposed of. Errors: those of reading, when the turn of what could not be read has
   * come; the signal's reason; InvDiffError after the last step.
   */
  next(): Promise<InputBatch>;
  /** Tells that other work came between two steps: the time to the next step is not counted. */
  pause(): void;
  /**
   * Share of the time, over the latest parts, in which the device had nothing to do because its input was late; undefined before the
   * second part. On a device measured by events in its streams: a part or two behind, and never waited for.
   */
  readonly idleShare: number | undefined;
  /** Over all parts so far. */
  readonly totalIdleShare: number | undefined;
}
