// From the options of a training section to numbers: how many steps, which learning rate, which precision.
import { lrSchedule } from "../../nn/index.ts";
import { cudaDeviceCount, type DType } from "../../torch/index.ts";
import type { TrainingConfig } from "../config-schema.ts";

/** Images that one step sees. */
export const imagesPerStep = ({ batchSize, accumulation }: TrainingConfig): number =>
  batchSize * accumulation;

/** Steps of a run over `images` images: given, or so many that every image is seen `epochs` times. */
export const totalSteps = (options: TrainingConfig, images: number): number =>
  options.epochs === undefined
    ? options.steps
    : Math.ceil((options.epochs * images) / imagesPerStep(options));

/** Learning rate of each step, counted from 0. */
export function learningRateOf(options: TrainingConfig, steps: number): (step: number) => number {
  const { schedule, learningRate, scaleLr, warmup, cycles, power } = options;
  return lrSchedule(schedule, {
    lr: scaleLr ? learningRate * imagesPerStep(options) : learningRate,
    warmupSteps: warmup,
    totalSteps: steps,
    power,
    ...(cycles !== undefined && { numCycles: cycles }),
  });
}

/** What the denoiser computes in. */
export const precisionOf = ({ precision }: Pick<TrainingConfig, "precision">, device: string): DType =>
  precision !== "auto" ? precision : device !== "cpu" && cudaDeviceCount() > 0 ? "bfloat16" : "float32";

/** The options that a result depends on; the others only say how often something is kept or shown. */
export function decisiveOptions<T extends TrainingConfig>(options: T) {
  const { checkpointEvery: _every, keep: _keep, validateEvery: _validate, ...decisive } = options;
  return decisive;
}
