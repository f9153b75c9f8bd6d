// What a stage of an experiment is: a named step that writes one folder, reproducible from its inputs.
import type { ExperimentConfig } from "./config.ts";

/** One report of long work; the CLI prints it, a server may stream it. */
export interface Progress {
  stage: string;
  /** What is being done now, in words: "training", "measuring losses". */
  task: string;
  done: number;
  total: number;
  /** What is counted, for the rate: "images" in "2.5 images/s". Default: steps, "it/s". */
  unit?: string;
  /** Images in one step, to tell images/s too. */
  images?: number;
  /** Values worth showing, e.g. { loss: 0.12 }. */
  values?: Record<string, number>;
}

export interface StageContext {
  readonly config: ExperimentConfig;
  /** Unfinished output goes here; the runner renames the folder when `run` returns. It may hold an earlier, interrupted try's files. */
  readonly dir: string;
  /** Folder of a finished stage, e.g. `input("base")`; throws if it was not declared in `needs`. */
  readonly input: (stage: string) => string;
  readonly signal: AbortSignal;
  readonly progress: (progress: Omit<Progress, "stage">) => void;
  /** Tells people something that is no progress: an estimate, a warning. */
  readonly note: (text: string) => void;
  /** Folder of the experiment. */
  readonly out: string;
  /** Fingerprint of everything that this stage's result depends on. */
  readonly key: string;
  /** A checkpoint to start from instead of the newest one of unfinished work. */
  readonly resume?: string | undefined;
}

export interface Stage {
  /** Folder name, e.g. "base", "groups", "groups-oracle". */
  readonly name: string;
  /** Names of the stages whose folders this one reads; their keys are part of this one's key. */
  readonly needs: readonly string[];
  /** True: unfinished work is cheap, or kept elsewhere; it is dropped without asking when the inputs have changed. */
  readonly disposable?: boolean;
  /** True: it measures, so float32 stays exact on a card. */
  readonly isExact?: boolean;
  /** The part of the configuration (and hashes of outside files) that this stage's result depends on. */
  inputs(config: ExperimentConfig): Record<string, unknown> | Promise<Record<string, unknown>>;
  /** Does the work; what it returns is kept in the manifest as `result`. */
  run(context: StageContext): Promise<Record<string, unknown>>;
}
