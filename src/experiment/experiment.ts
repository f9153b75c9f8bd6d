// An experiment from its configuration to the report: the stages, run in a machine set up for them.
import type { ExperimentConfig } from "./config.ts";
import { prepareEngine } from "./engine.ts";
import { stageDevice } from "./accelerator.ts";
import { checkOut } from "./out-folder.ts";
import { type RunOptions, type RunResult, runStages } from "./runner.ts";
import type { Stage } from "./stage.ts";
import { resolveThreads } from "./threads.ts";
import { packageVersion } from "./versions.ts";

export interface ExperimentOptions extends Omit<RunOptions, "versions" | "device"> {
  /** Default: the stages of this package for the configuration. */
  stages?: readonly Stage[];
  /** Commands that repeat this run, shown in the report. */
  reproduce?: readonly string[];
}

/**
 * Runs a whole experiment, or one stage of it (`only`), into `out`.
 * When the evaluation is among the stages, report.html and evaluation.json are written too.
 * Sets libtorch's threads and turns denormal floats off, both for the whole process, before the first operator.
 * Errors: those of `runStages`; UserError when the device is absent or the engine cannot be loaded.
 */
export async function runExperiment(
  config: ExperimentConfig,
  options: ExperimentOptions,
): Promise<RunResult> {
  checkOut(options.out);
  // Loaded here, so that configurations can be read and checked without the engine.
  const torch = await prepareEngine({ device: config.device, threads: resolveThreads(config) });
  const stages = options.stages ?? (await import("./stages/index.ts")).experimentStages(config);
  const versions = {
    invdiff: packageVersion(),
    node: process.versions.node,
    libtorch: torch.libtorchVersion(),
  };
  const device = stageDevice(torch, config);
  const result = await runStages(stages, config, { ...options, versions, device });
  const isEvaluated = Object.keys(result.manifests).some((name) => name.startsWith("evaluation"));
  if (isEvaluated && !options.stages) {
    const { writeReport } = await import("./write-report.ts");
    await writeReport(result.out, config, { reproduce: options.reproduce ?? [] });
  }
  return result;
}
