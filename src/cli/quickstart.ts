// invdiff quickstart: the whole job on drawn birds, with the default settings.
import { configFrom, withConfigOptions } from "./config-options.ts";
import type { Program } from "./program.ts";

export function addQuickstart(program: Program): void {
  withConfigOptions(
    program
      .command("quickstart")
      .description("make biased birds, find the bias without labels, remove it, prove it in a report")
      .option("--out <dir>", "folder for the results", "runs/quickstart"),
  ).action(async (options) => {
    const config = await configFrom(undefined, options);
    const { runCommand } = await import("./run-command.ts");
    await runCommand(config, options);
  });
}
