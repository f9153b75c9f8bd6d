// invdiff run FILE.yaml: the whole job as a file describes it.
import { configFrom, withConfigOptions } from "./config-options.ts";
import type { Program } from "./program.ts";

export function addRun(program: Program): void {
  withConfigOptions(
    program
      .command("run")
      .description("run the experiment that a YAML file describes")
      .argument("<file>", "YAML file; `invdiff quickstart --print-config` prints one with every setting")
      .option("--out <dir>", "folder for the results (default: runs/NAME, NAME as in the file)"),
  ).action(async (file, options) => {
    const config = await configFrom(file, options);
    const { runCommand } = await import("./run-command.ts");
    await runCommand(config, { ...options, out: options.out ?? `runs/${folderName(config.name)}` });
  });
}

/** A name as a folder name: no separators, no leading dot. */
const folderName = (name: string): string =>
  name.replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^\.+/, "") || "experiment";
