// One command per stage, for a user's own folders: each runs exactly that stage of the experiment in --out.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type ConfigOptionValues, configFrom, withConfigOptions } from "./config-options.ts";
import type { CompareOptions } from "./compare.ts";
import type { Program } from "./program.ts";
import type { ConfigOverride } from "../experiment/index.ts";
import type { SchemaSection } from "./schema-options.ts";

interface StageCommandSpec {
  readonly name: string;
  /** The stages that it runs; the last one is its purpose. */
  readonly stages: readonly string[];
  readonly description: string;
  /** Sections of the schema whose keys are options of the command. */
  readonly sections: readonly SchemaSection[];
  /** True: it trains, and can start from a checkpoint of its own. */
  readonly trains?: boolean;
}

const ENGINE: readonly SchemaSection[] = [
  { section: "", heading: "Machine", only: ["device", "threads"] },
  { section: "accelerator", heading: "Machine" },
];
const VALIDATION: SchemaSection = { section: "validation", heading: "Validation", prefix: "validation" };
const TRACKING: SchemaSection = { section: "tracking", heading: "Tracking" };
const DATA: SchemaSection = {
  section: "data",
  heading: "Data",
  except: ["kind", "path", "train", "validation", "balance", "poseBalance"],
};

/** The commands of the stages; `sample` is in sample.ts. */
export const STAGE_COMMANDS: readonly StageCommandSpec[] = [
  {
    name: "finetune",
    stages: ["data", "latents", "base"],
    description: "fine-tune the model on the images: the biased base",
    sections: [
      { section: "base", heading: "Training" },
      DATA,
      { section: "model", heading: "Model", except: ["path"] },
      ...[VALIDATION, TRACKING, ...ENGINE],
    ],
    trains: true,
  },
  {
    name: "infer-groups",
    stages: ["groups"],
    description: "find the groups behind the bias, without labels",
    sections: [
      { section: "groups", heading: "Groups", except: ["method", "file", "index", "column"] },
      { section: "groups", heading: "Given groups", prefix: "groups", only: ["file", "index", "column"] },
      ...ENGINE,
    ],
  },
  {
    name: "train",
    stages: ["groups-file", "groups-column", "guidance"],
    description: "train the guidance module over the groups",
    sections: [
      { section: "guidance", heading: "Guidance and training" },
      { section: "groups", heading: "Given groups", prefix: "groups", only: ["file", "index", "column"] },
      ...[VALIDATION, TRACKING, ...ENGINE],
    ],
    trains: true,
  },
  { name: "sample", stages: ["samples"], description: "sample the base and the guided model", sections: [] },
  {
    name: "evaluate",
    stages: ["classifiers", "evaluation"],
    description: "measure bias and quality of all models, with intervals; write the report",
    sections: [{ section: "evaluation", heading: "Evaluation" }, ...ENGINE],
  },
];

export function addStageCommands(program: Program): void {
  for (const { name, description, sections, trains = false } of STAGE_COMMANDS) {
    if (name === "sample") continue;
    const command = withConfigOptions(
      program
        .command(name)
        .description(description)
        .requiredOption("--out <dir>", "folder of the experiment; every stage has its own folder in it")
        .option("--data <dir>", "folder of images with captions, parquet files, or OWNER/NAME on the hub")
        .option("--model <dir>", "model folder in the diffusers layout")
        .option("--config <file>", "YAML file with settings (default: those of the latest run in --out)"),
    );
    if (trains)
      command.option(
        "--resume <checkpoint>",
        "go on from a checkpoint's folder (default: latest, the newest valid one of unfinished work)",
      );
    if (name === "evaluate")
      command
        .option(
          "--samples <label=dir...>",
          "compare finished images of any models instead: folders of `invdiff sample`, of a run's samples, or with a folder per prompt",
        )
        .option("--reference <dir>", "with --samples: image folder that the images should be like");
    command.action(async (options: StageOptions & Partial<CompareOptions>, self) => {
      const { schemaOverrides } = await import("./schema-options.ts");
      if (options.samples !== undefined) {
        const { runCompare } = await import("./compare.ts");
        const { samples, ...rest } = options;
        return await runCompare({ ...rest, samples }, schemaOverrides(self, sections));
      }
      await runStageCommand(name, options, schemaOverrides(self, sections));
    });
  }
  // Only for the command that was asked for: the schema takes as long to load as all the rest.
  program.hook("preSubcommand", async (_, command) => {
    const sections = STAGE_COMMANDS.find(({ name }) => name === command.name())?.sections ?? [];
    if (sections.length === 0) return;
    const { addSchemaOptions } = await import("./schema-options.ts");
    addSchemaOptions(command, sections);
  });
}

export interface StageOptions extends ConfigOptionValues {
  out: string;
  config?: string | undefined;
  force?: boolean | undefined;
  printConfig?: boolean | undefined;
  resume?: string | undefined;
}

/** Runs the stages of a command. Errors: UserError with the commands that are to be run before. */
export async function runStageCommand(
  name: string,
  options: StageOptions,
  overrides: readonly ConfigOverride[] = [],
): Promise<void> {
  const { stages } = STAGE_COMMANDS.find((command) => command.name === name)!;
  const { ChangedStagesError, comparisonStageNames, EXPERIMENT_YAML, UnfinishedStagesError, UserError } =
    await import("../experiment/index.ts");
  const earlier = join(options.out, EXPERIMENT_YAML);
  const file = options.config ?? (existsSync(earlier) ? earlier : undefined);
  if (file === undefined && options.data === undefined)
    throw new UserError(
      `${name} needs to know the images: give --data DIR or --config FILE. ` +
        `(${options.out} holds no earlier run whose settings could be taken.)`,
    );
  const config = await configFrom(file, { ...options, overrides });
  const { runCommand } = await import("./run-command.ts");
  const resume = options.resume === "latest" ? undefined : options.resume;
  try {
    // What is compared is made by the evaluation, whose settings name it.
    const further = name === "evaluate" ? comparisonStageNames(config) : [];
    await runCommand(config, { ...options, resume, only: [...stages, ...further] });
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
  STAGE_COMMANDS.find(({ stages }) => stages.some((kind) => stage === kind || stage.startsWith(`${kind}-`)))
    ?.name;
