// metrics.jsonl: what the seed decides, the same bytes however often the run was interrupted. timing.jsonl: the rest.
import { join } from "node:path";
import { openStepLines } from "./step-lines.ts";
import type { Tracker } from "./tracker.ts";

export const METRICS_FILE = "metrics.jsonl";
export const TIMING_FILE = "timing.jsonl";

/** Seconds on a clock that only goes forward. */
const clock = (): number => performance.now() / 1000;

/**
 * One line per step in each file. Numbers that are not finite are written as the texts "NaN", "Infinity", "-Infinity".
 * Errors: the system's own when the disk is full; a run without its metrics is not worth going on with.
 */
export function openJsonl(
  dir: string,
  { resumeStep, now = clock }: { readonly resumeStep: number; readonly now?: () => number },
): Tracker {
  const metrics = openStepLines(join(dir, METRICS_FILE), resumeStep);
  const timing = openStepLines(join(dir, TIMING_FILE), resumeStep);
  let last = now();
  let step = resumeStep;
  return {
    scalars(given, values) {
      metrics.add(given, values);
      if (given === step) return;
      const time = now();
      const round = (seconds: number): number => Math.round(seconds * 1e6) / 1e6;
      timing.add(given, { time: round(Date.now() / 1000), seconds: round(time - last) });
      [last, step] = [time, given];
    },
    timing: (given, values) => timing.add(given, values),
    histogram() {},
    images() {},
    text() {},
    async flush() {
      metrics.flush();
      timing.flush();
    },
    async close() {
      metrics.close();
      timing.close();
    },
  };
}
