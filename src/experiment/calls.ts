// The training commands as library calls that yield their progress: `for await (const report of finetune(config, { out }))`.
import type { ExperimentConfig } from "./config.ts";
import { type ExperimentOptions, runExperiment } from "./experiment.ts";
import { InterruptedError } from "./interrupt.ts";
import type { RunResult } from "./runner.ts";
import type { Progress } from "./stage.ts";

export type CallOptions = Omit<ExperimentOptions, "only" | "onProgress">;

/** Reports of the work, and at its end what `runExperiment` gives. */
export type Call = AsyncGenerator<Progress, RunResult, undefined>;

/**
 * Runs the named stages. Leaving the loop early stops the work as Ctrl-C does: it saves what it has, and the same call goes
 * on from there. A slow consumer gets the latest report, not every one. Errors: those of `runExperiment`.
 */
async function* call(config: ExperimentConfig, options: CallOptions, only: readonly string[]): Call {
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  let latest: Progress | undefined;
  let wake: () => void = () => {};
  const onProgress = (progress: Progress): void => {
    latest = progress;
    wake();
  };
  let ended = false;
  const work = runExperiment(config, { ...options, only, signal, onProgress }).finally(() => {
    ended = true;
    wake();
  });
  // Its failure is thrown where the work is awaited.
  work.catch(() => {});
  try {
    while (!ended || latest) {
      if (!latest) await new Promise<void>((resolve) => (wake = resolve));
      const report = latest;
      latest = undefined;
      if (report) yield report;
    }
    return await work;
  } finally {
    if (!ended) {
      stop.abort(new InterruptedError("The caller left the loop."));
      await work.catch(() => {});
    }
  }
}

/** Stage 1, `invdiff finetune`: fine-tunes the model on the images as they are, with the data and the cache that it needs. */
export const finetune = (config: ExperimentConfig, options: CallOptions): Call =>
  call(config, options, ["data", "latents", "base"]);

/** Stage 2, `invdiff infer-groups`: finds the groups (or reads the given ones). */
export const inferGroups = (config: ExperimentConfig, options: CallOptions): Call =>
  call(config, options, ["groups"]);

/** Stage 3, `invdiff train`: trains the guidance over the groups. */
export const train = (config: ExperimentConfig, options: CallOptions): Call =>
  call(config, options, ["groups-file", "groups-column", "guidance"]);
