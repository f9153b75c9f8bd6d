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

/** Fails when `error` is not below (or, for a tolerance of 0, not equal to) `tolerance`. NaN fails. */
export function within(golden: string, at: string, error: number, tolerance: number): void {
  const task = TestRunner.getCurrentTest();
  if (task) (task.meta.parity ??= []).push({ golden, at, error, tolerance });
  const isWithin = tolerance === 0 ? error === 0 : error < tolerance;
  expect(isWithin, `${golden}, ${at}: error ${error}, tolerance ${tolerance}`).toBe(true);
}
