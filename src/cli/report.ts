// invdiff report: writes report.html and evaluation.json again from a finished run.
import { join } from "node:path";
import { configFrom } from "./config-options.ts";
import { commandLine } from "./command-line.ts";
import type { Program } from "./program.ts";

export function addReport(program: Program): void {
  program
    .command("report")
    .description("write report.html and evaluation.json again, from the folder of a finished run")
    .requiredOption("--out <dir>", "folder of the experiment")
    .action(async ({ out }) => {
      const { EXPERIMENT_YAML } = await import("../experiment/index.ts");
      const config = await configFrom(join(out, EXPERIMENT_YAML), {});
      const { writeReport } = await import("../experiment/write-report.ts");
      await writeReport(out, config, { reproduce: [commandLine()] });
      console.log(`Report: ${join(out, "report.html")}`);
    });
}
