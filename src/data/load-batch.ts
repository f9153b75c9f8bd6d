// The batches of a step: drawn, loaded, noised.
import type { Tensor } from "../torch/index.ts";
import { type DiffusionBatch, type DrawOptions, planBatch } from "./draw-batch.ts";
import { stepGenerator } from "./step-generator.ts";
import type { TrainingSet } from "./training-set.ts";

/** One of the batches of a step, which have one size. Disposed of when the step has seen it. */
export interface StepBatch extends Disposable {
  /** Its images, [B]. */
  readonly rows: Int32Array;
  readonly batch: DiffusionBatch;
}

export interface StepDraw {
  readonly seed: number;
  /** Every random number depends on it and on the seed alone. */
  readonly step: number;
  /** Batches that the step's rows are divided into; default 1. */
  readonly parts?: number | undefined;
  readonly draw: DrawOptions;
}

/** Gives each batch of the step that sees the images `rows`; call it for the parts in turn. Errors: those of `load`. */
export function stepBatches(
  set: TrainingSet,
  rows: Int32Array,
  { seed, step, parts = 1, draw }: StepDraw,
): (part: number) => Promise<StepBatch> {
  const size = rows.length / parts;
  return async (part) => {
    const own = rows.subarray(part * size, (part + 1) * size);
    const plan = planBatch(set, own, stepGenerator(seed, step * parts + part), draw);
    const encoded = await set.load(plan.request);
    using _moments = encoded.moments;
    using _states = encoded.encoderHiddenStates;
    const batch = plan.diffuse(encoded, set.scalingFactor);
    const tensors = Object.values<Tensor | undefined>({ ...batch });
    return { rows: own, batch, [Symbol.dispose]: () => tensors.forEach((value) => value?.dispose()) };
  };
}
