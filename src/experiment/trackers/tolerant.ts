// A tracker that a training can do without: its first failure is told, then it is left alone.
import type { Tracker } from "./tracker.ts";
import { redactText } from "./redact.ts";

/** Wraps what `open` gives; a failure, also of opening, calls `onWarning` once and ends this tracker, not the training. */
export function tolerant(
  name: string,
  open: () => Tracker,
  onWarning: ((message: string) => void) | undefined,
): Tracker {
  let tracker: Tracker | undefined;
  let told = false;
  const fail = (error: unknown): void => {
    const failed = tracker;
    tracker = undefined;
    if (told) return;
    told = true;
    const reason = redactText(error instanceof Error ? error.message : String(error));
    onWarning?.(`${name} is not written any more: ${reason} The training goes on without it.`);
    // Only to give its file back: what closing says comes after the failure and tells nothing new.
    failed?.close().catch(() => {});
  };
  const attempt = (use: (tracker: Tracker) => void): void => {
    try {
      if (tracker !== undefined) use(tracker);
    } catch (error) {
      fail(error);
    }
  };
  const attemptLater = async (use: (tracker: Tracker) => Promise<void>): Promise<void> => {
    try {
      if (tracker !== undefined) await use(tracker);
    } catch (error) {
      fail(error);
    }
  };
  try {
    tracker = open();
  } catch (error) {
    fail(error);
  }
  return {
    scalars: (...args) => attempt((t) => t.scalars(...args)),
    timing: (...args) => attempt((t) => t.timing(...args)),
    histogram: (...args) => attempt((t) => t.histogram(...args)),
    images: (...args) => attempt((t) => t.images(...args)),
    text: (...args) => attempt((t) => t.text(...args)),
    flush: () => attemptLater((t) => t.flush()),
    close: (outcome) => attemptLater((t) => t.close(outcome)),
  };
}
