// Runs an experiment for a command: plan, progress, summary.
import { join, resolve } from "node:path";
import {
  configToYaml,
  EXPERIMENT_YAML,
  type ExperimentConfig,
  runExperiment,
  type StageEvent,
} from "../experiment/index.ts";
import { commandLine } from "./command-line.ts";
import { planText } from "./plan-text.ts";
import { session } from "./session.ts";
import { summaryText } from "./summary.ts";
import { durationText } from "./text.ts";

export interface RunCommandOptions {
  out: string;
  force?: boolean | undefined;
  only?: readonly string[];
  printConfig?: boolean | undefined;
  resume?: string | undefined;
}

/** Errors: those of `runExperiment`; StoppedError when interrupted. */
export async function runCommand(config: ExperimentConfig, options: RunCommandOptions): Promise<void> {
  const { out, force = false, only, resume, printConfig = false } = options;
  if (printConfig) {
    process.stdout.write(configToYaml(config));
    return;
  }
  await session(async ({ signal, progress, note }) => {
    const result = await runExperiment(config, {
      ...{ out, force, only, resume, signal, reproduce: reproduceCommands(config, out) },
      onPlan: (plan) => note(planText(plan, config, resolve(out))),
      onProgress: progress,
      onNote: note,
      onStage: (event) => note(eventText(event)),
    });
    note("");
    console.log(summaryText(result));
  });
}

/** The command as it was typed, and one that needs nothing but the settings file of the run. */
const reproduceCommands = (config: ExperimentConfig, out: string): string[] => [
  commandLine(),
  commandLine(["run", join(out, EXPERIMENT_YAML), "--out", `${out}-again`, "--seed", String(config.seed)]),
];

function eventText({ stage, state, seconds = 0 }: StageEvent): string {
  switch (state) {
    case "reused":
      return `${stage}: reused (took ${durationText(seconds)} then)`;
    case "started":
      return `${stage}: started`;
    case "resumed":
      return `${stage}: resuming the interrupted work`;
    case "discarded":
      return `${stage}: unfinished work with other settings was there and is removed`;
    case "finished":
      return `${stage}: finished in ${durationText(seconds)}`;
  }
}
