// How the steps of a training are made: one after the other on a processor, one ahead of what is known on a device.
import type { StepResult } from "../../method/index.ts";

/** A step that is over, and what it gave. */
export interface FinishedStep {
  /** Counted from 0. */
  readonly step: number;
  readonly result: StepResult;
}

export interface Steps extends AsyncDisposable {
  /**
   * Makes the step, or hands it to the device; gives the step that became known to be over: this one, or the one before.
   * Errors: NonFiniteLossError for the step known last, when weights, averages and the job's batches are those before it.
   */
  next(step: number): Promise<FinishedStep | undefined>;
  /** Waits until every step is over; gives the last one, unless `next` did. Errors: as `next`. */
  finish(): Promise<FinishedStep | undefined>;
  /** Other work came between two steps. */
  pause(): void;
  /** Share of the time in which the device had nothing to do because its input was late; undefined at first. */
  readonly idleShare: number | undefined;
}
