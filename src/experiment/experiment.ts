// An experiment from its configuration to the report: the stages, run in a machine set up for them.
import { UserError } from "../torch/errors.ts";
import type { ExperimentConfig } from "./config.ts";
import { checkOut } from "./out-folder.ts";
import { type RunOptions, type RunResult, runStages } from "./runner.ts";
import type { Stage } from "./stage.ts";
import { resolveThreads } from "./threads.ts";
import { packageVersion } from "./versions.ts";

export interface ExperimentOptions extends Omit<RunOptions, "versions"> {
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
  const torch = await import("../torch/index.ts");
  const threads = resolveThreads(config);
  if (threads !== undefined) torch.setNumThreads(threads);
  torch.setFlushDenormal(true);
  checkDevice(config.device, torch.cudaDeviceCount());
  const stages = options.stages ?? (await import("./stages/index.ts")).experimentStages(config);
  const versions = {
    invdiff: packageVersion(),
    node: process.versions.node,
    libtorch: torch.libtorchVersion(),
  };
  const result = await runStages(stages, config, { ...options, versions });
  const isEvaluated = Object.keys(result.manifests).some((name) => name.startsWith("evaluation"));
  if (isEvaluated && !options.stages) {
    const { writeReport } = await import("./write-report.ts");
    await writeReport(result.out, config, { reproduce: options.reproduce ?? [] });
  }
  return result;
}

function checkDevice(device: string, count: number): void {
  if (device === "cpu") return;
  const index = Number(device.split(":")[1] ?? 0);
  if (index < count) return;
  const found =
    count === 0 ? "libtorch sees no CUDA device" : `libtorch sees ${count} CUDA device(s), cuda:0 first`;
  throw new UserError(
    `device is ${device}, but ${found}. Set device to cpu, or run \`invdiff doctor\` to see why.`,
  );
}
