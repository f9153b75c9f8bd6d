// One command per stage, for a user's own folders: each runs exactly that stage of the experiment in --out.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type ConfigOptionValues, configFrom, withConfigOptions } from "./config-options.ts";
import type { Program } from "./program.ts";

/** Command, the stages that it runs (the last one is its purpose) and what it does. `sample` is in sample.ts. */
export const STAGE_COMMANDS = [
  ["finetune", ["data", "latents", "base"], "fine-tune the model on the images: the biased base"],
  ["infer-groups", ["groups"], "find the groups behind the bias, without labels"],
  ["train", ["guidance"], "train the guidance module over the groups"],
  ["sample", ["samples"], "sample the base and the guided model"],
  ["evaluate", ["classifiers", "evaluation"], "measure bias, prompt accuracy and FID; write the report"],
] as const satisfies readonly [string, readonly string[], string][];

type StageCommand = (typeof STAGE_COMMANDS)[number][0];

export function addStageCommands(program: Program): void {
  for (const [name, , description] of STAGE_COMMANDS) {
    if (name === "sample") continue;
    withConfigOptions(
      program
        .command(name)
        .description(description)
        .requiredOption("--out <dir>", "folder of the experiment; every stage has its own folder in it")
        .option("--data <dir>", "folder of images with a metadata.jsonl")
        .option("--model <dir>", "model folder in the diffusers layout")
        .option("--config <file>", "YAML file with settings (default: those of the latest run in --out)"),
    ).action((options) => runStageCommand(name, options));
  }
}

export interface StageOptions extends ConfigOptionValues {
  out: string;
  config?: string | undefined;
  force?: boolean | undefined;
  printConfig?: boolean | undefined;
}

/** Runs the stages of a command. Errors: UserError with the commands that are to be run before. */
export async function runStageCommand(name: StageCommand, options: StageOptions): Promise<void> {
  const stages = STAGE_COMMANDS.find(([command]) => command === name)![1];
  const { ChangedStagesError, EXPERIMENT_YAML, UnfinishedStagesError, UserError } =
    await import("../experiment/index.ts");
  const earlier = join(options.out, EXPERIMENT_YAML);
  const file = options.config ?? (existsSync(earlier) ? earlier : undefined);
  if (file === undefined && options.data === undefined)
    throw new UserError(
      `${name} needs to know the images: give --data DIR or --config FILE. ` +
        `(${options.out} holds no earlier run whose settings could be taken.)`,
    );
  const config = await configFrom(file, options);
  const { runCommand } = await import("./run-command.ts");
  try {
    await runCommand(config, { ...options, only: stages });
  } catch (error) {
    const given = options.data === undefined ? "" : ` --data ${options.data}`;
    const command = (stage: string | undefined) =>
      `invdiff ${commandOf(stage ?? "") ?? name}${given} --out ${options.out}`;
    if (error instanceof ChangedStagesError && error.isNeeded)
      throw new UserError(`${error.message}\nThe command: ${command(error.stages[0])} --force`, {
        cause: error,
      });
    if (!(error instanceof UnfinishedStagesError)) throw error;
    const commands = [...new Set(error.unfinished.map(commandOf))].filter((item) => item !== undefined);
    throw new UserError(
      `${name} needs what these commands make, in this order, and ${options.out} does not have it yet: ` +
        `${commands.join(", ")}. Run first: ${command(error.unfinished[0])}`,
      { cause: error },
    );
  }
}

/** The command that runs a stage; "groups-oracle" belongs to "groups". */
const commandOf = (stage: string): string | undefined =>
  STAGE_COMMANDS.find(([, kinds]) =>
    kinds.some((kind) => stage === kind || stage.startsWith(`${kind}-`)),
  )?.[0];
