/** What the main thread and a worker send each other. */
import type { PictureJob } from "./picture-job.ts";

export interface Request {
  readonly id: number;
  readonly job: PictureJob;
  /** Memory for the result, which the worker sends back. */
  readonly memory: ArrayBuffer;
}

export interface Response {
  readonly id: number;
  readonly memory: ArrayBuffer;
  /** Why there is no result. */
  readonly problem?: { readonly error: Error; readonly isData: boolean };
}

/** Sent instead of a request: there will be no more. */
export const END = "end";
