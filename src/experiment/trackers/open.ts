// All trackers of a run behind one.
import { mkdirSync } from "node:fs";
import { openJsonl } from "./jsonl.ts";
import { openMlflow } from "./mlflow/index.ts";
import { redact, redactText } from "./redact.ts";
import { openTensorBoard } from "./tensorboard/index.ts";
import { tolerant } from "./tolerant.ts";
import type { TrackedRun, Tracker } from "./tracker.ts";

export interface TrackerOptions {
  readonly tensorboard: boolean;
  readonly mlflow?: { readonly url: string; readonly experiment: string } | undefined;
  /** The step that the run goes on after; 0: from the start. */
  readonly resumeStep: number;
  readonly run: TrackedRun;
  /** Told once for each tracker that fails. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/**
 * Opens metrics.jsonl and timing.jsonl, and the others that are asked for. Only metrics.jsonl's failures (a full disk) are thrown, from
 * any method; every other tracker warns once and is left alone.
 */
export async function openTrackers(dir: string, options: TrackerOptions): Promise<Tracker> {
  const { tensorboard, mlflow, resumeStep, onWarning } = options;
  const { name, config, command } = options.run;
  const run: TrackedRun = {
    name,
    config: redact(JSON.parse(JSON.stringify(config)) as unknown),
    ...(command !== undefined && { command: redactText(command) }),
  };
  mkdirSync(dir, { recursive: true });
  const trackers = [openJsonl(dir, { resumeStep })];
  if (tensorboard)
    trackers.push(tolerant("TensorBoard", () => openTensorBoard(dir, { resumeStep, run }), onWarning));
  if (mlflow) {
    const open = (): Tracker => openMlflow(dir, { ...mlflow, resumeStep, run, onWarning });
    trackers.push(tolerant("MLflow", open, onWarning));
  }
  const each = (use: (tracker: Tracker) => void): void => trackers.forEach(use);
  const all = async (use: (tracker: Tracker) => Promise<void>): Promise<void> => {
    const results = await Promise.allSettled(trackers.map(use));
    const failed = results.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
  };
  return {
    scalars: (...args) => each((tracker) => tracker.scalars(...args)),
    timing: (...args) => each((tracker) => tracker.timing(...args)),
    histogram: (...args) => each((tracker) => tracker.histogram(...args)),
    images: (...args) => each((tracker) => tracker.images(...args)),
    text: (...args) => each((tracker) => tracker.text(...args)),
    flush: () => all((tracker) => tracker.flush()),
    close: (outcome) => all((tracker) => tracker.close(outcome)),
  };
}
