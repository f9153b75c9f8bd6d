// Asserts that an error lies within a golden's tolerance and records it, for the table of `npm run test:parity`.
import { expect, TestRunner } from "vitest";

export interface ParityRecord {
  /** Row of the table, such as "models-sd1: U-Net gradient". */
  readonly golden: string;
  /** Where the error was seen, such as the key of a run. */
  readonly at: string;
  readonly error: number;
  readonly tolerance: number;
}

declare module "vitest" {
  interface TaskMeta {
    parity?: ParityRecord[];
  }
}

/** Fails when `error` is above `tolerance` (0: must be exact) or not a number. */
export function within(golden: string, at: string, error: number, tolerance: number): void {
  const task = TestRunner.getCurrentTest();
  if (task) (task.meta.parity ??= []).push({ golden, at, error, tolerance });
  expect(error <= tolerance, `${golden}, ${at}: error ${error}, tolerance ${tolerance}`).toBe(true);
}
