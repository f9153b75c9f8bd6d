// Writes report.html, report.md and evaluation.json of a finished experiment, from its stage folders alone.
import { join } from "node:path";

import { writeFileAtomic } from "../torch/index.ts";
import { collectReport } from "./collect-report.ts";
import type { ExperimentConfig } from "./config.ts";
import type { EvaluationJson } from "./report/index.ts";
import { writeReportFiles } from "./report-files.ts";

/** Writes the files into `out`, replacing older ones: they are made of the stage folders and can be made again. */
export async function writeReport(
  out: string,
  config: ExperimentConfig,
  { reproduce }: { reproduce: readonly string[] },
): Promise<EvaluationJson> {
  const { data, evaluation } = await collectReport(out, config, { reproduce });
  await writeReportFiles(out, data);
  writeFileAtomic(join(out, "evaluation.json"), `${JSON.stringify(evaluation, null, 2)}\n`);
  return evaluation;
}
