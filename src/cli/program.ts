// All commands of `invdiff`. Each command loads what it needs when it runs, so that help and mistakes answer at once.
import { Command } from "@commander-js/extra-typings";
import { packageVersion } from "../experiment/versions.ts";
import { addBirds } from "./birds.ts";
import { addData } from "./data.ts";
import { addDoctor } from "./doctor.ts";
import { addDownload } from "./download.ts";
import { addExport } from "./export.ts";
import { addInspect } from "./inspect.ts";
import { addQuickstart } from "./quickstart.ts";
import { addRun } from "./run.ts";
import { addReport } from "./report.ts";
import { addSample } from "./sample.ts";
import { addStageCommands } from "./stage-commands.ts";
import { addTrainClassifier } from "./train-classifier.ts";

const root = () =>
  new Command("invdiff")
    .description("Finds and removes unlabelled bias in text-to-image diffusion models.")
    .version(packageVersion(), "-V, --version", "print the version")
    .option("--debug", "print the stack of errors")
    .showSuggestionAfterError()
    .exitOverride();

export type Program = ReturnType<typeof root>;

export function buildProgram(): Program {
  const program = root();
  addQuickstart(program);
  addRun(program);
  addStageCommands(program);
  addSample(program);
  addExport(program);
  addTrainClassifier(program);
  addReport(program);
  addInspect(program);
  addBirds(program);
  addData(program);
  addDownload(program);
  addDoctor(program);
  // "help NAME" as "NAME --help": the way on which a command's options are completed.
  program
    .helpCommand(false)
    .command("help")
    .argument("[command]")
    .description("display help for command")
    .helpOption(false)
    .action(async (name) => {
      if (name === undefined) return program.help();
      if (!program.commands.some((command) => command.name() === name)) return program.help({ error: true });
      await program.parseAsync([name, "--help"], { from: "user" });
    });
  program.addHelpText(
    "after",
    "\nExamples:\n" +
      "  invdiff quickstart                        the whole job on drawn birds\n" +
      "  invdiff run my.yaml --out runs/mine       the whole job as a file describes it\n" +
      "  invdiff run my.yaml --print-config        all settings, defaults included\n" +
      "  invdiff doctor                            what this machine offers and what is missing",
  );
  return program;
}
