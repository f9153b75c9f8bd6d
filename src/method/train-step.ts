// One optimisation step of either training stage. They differ by the denoiser and the objective only.
import {
  type DiffusionBatch,
  type DrawOptions,
  planBatch,
  stepGenerator,
  type TrainingSet,
} from "../data/index.ts";
import {
  type AdamW,
  CheckpointTape,
  clipGradNorm_,
  type Ema,
  type LossScaler,
  withTape,
} from "../nn/index.ts";
import type { Denoiser } from "../pipelines/index.ts";
import type { Scheduler } from "../schedulers/index.ts";
import { autocast, type DType, InvDiffError, scope, type Tensor } from "../torch/index.ts";
import type { Objective, ObjectiveValues } from "./objective.ts";
import { diffusionLoss } from "./per-sample-loss.ts";

/** What a training run holds from step to step. */
export interface Trainer {
  readonly denoiser: Denoiser;
  readonly scheduler: Scheduler;
  readonly objective: Objective;
  /** Tensors that the optimizer changes. */
  readonly parameters: readonly Tensor[];
  readonly optimizer: AdamW;
  readonly ema?: Ema | undefined;
  readonly learningRate: (step: number) => number;
  readonly maxGradNorm: number;
  readonly seed: number;
  readonly draw: DrawOptions;
  /** Batches whose gradients are averaged before the weights change; the objective is that of each batch. */
  readonly accumulation?: number;
  /** Factor of each training timestep's loss, [T]: see `minSnrWeights`. */
  readonly lossWeights?: Tensor | undefined;
  /** What the denoiser computes in (automatic mixed precision); weights, loss and optimizer stay in float32. */
  readonly precision?: DType;
  /** For float16. */
  readonly scaler?: LossScaler | undefined;
  /** Recomputes activations in the backward pass instead of keeping them. */
  readonly gradientCheckpointing?: boolean;
}

export interface StepResult extends ObjectiveValues {
  readonly loss: number;
  readonly gradNorm: number;
  readonly learningRate: number;
  /** The step of a float16 run whose gradients overflowed: nothing was changed but the scale. */
  readonly skipped: boolean;
}

/** The loss or its gradient is no number any more; the weights are still those of the step before. */
export class NonFiniteLossError extends InvDiffError {
  override readonly kind = "user";
  readonly step: number;
  /** Ids of the images of the step's batches. */
  readonly ids: readonly string[];
  constructor(what: string, step: number, ids: readonly string[]) {
    const some = ids.slice(0, 8).join(", ") + (ids.length > 8 ? `, ... (${ids.length} images)` : "");
    super(
      `The ${what} at step ${step + 1} is not a finite number. Lower the learning rate or use another precision, ` +
        `and look at the images of the batch: ${some}.`,
    );
    this.step = step;
    this.ids = ids;
  }
}

/**
 * Draws, measures, and changes the weights once; `rows` are the images of all accumulated batches, which have one size.
 * Every random number depends on the trainer's seed and `step` alone. Throws NonFiniteLossError before anything changes.
 */
export async function trainStep(
  trainer: Trainer,
  set: TrainingSet,
  rows: Int32Array,
  step: number,
): Promise<StepResult> {
  const { accumulation = 1, optimizer } = trainer;
  const size = rows.length / accumulation;
  const results: BatchResult[] = [];
  try {
    for (let part = 0; part < accumulation; part++) {
      const own = rows.subarray(part * size, (part + 1) * size);
      const plan = planBatch(set, own, stepGenerator(trainer.seed, step * accumulation + part), trainer.draw);
      const encoded = await set.load(plan.request);
      using _moments = encoded.moments;
      using _states = encoded.encoderHiddenStates;
      results.push(scope(() => accumulate(trainer, plan.diffuse(encoded, set.scalingFactor), own)));
    }
    const loss = mean(results.map((result) => result.loss));
    const ids = () => Array.from(rows, (row) => set.ids[row]!);
    if (!Number.isFinite(loss) && !trainer.scaler) throw new NonFiniteLossError("loss", step, ids());
    return { ...averaged(results), loss, ...update(trainer, step, ids) };
  } finally {
    optimizer.zeroGrad();
  }
}

export type BatchResult = ObjectiveValues & { readonly loss: number };

/** Adds a batch's share of the gradients; `rows` are its images. */
export function accumulate(trainer: Trainer, batch: DiffusionBatch, rows: Int32Array): BatchResult {
  const { denoiser, scheduler, objective, lossWeights, scaler, accumulation = 1 } = trainer;
  const { precision = "float32" } = trainer;
  using tape = trainer.gradientCheckpointing ? new CheckpointTape() : undefined;
  return scope(() => {
    const { device } = batch.latents;
    const mixed: Denoiser = {
      forward: (...args) => autocast({ device, dtype: precision }, () => denoiser.forward(...args)),
    };
    const losses = withTape(tape, () =>
      diffusionLoss(precision === "float32" ? denoiser : mixed, scheduler, batch),
    );
    const weighted = lossWeights ? losses.mul(lossWeights.indexSelect(0, batch.timesteps)) : losses;
    const { loss, values } = objective(weighted, rows);
    const share = accumulation > 1 ? loss.div(accumulation) : loss;
    (scaler ? scaler.scale(share) : share).backward();
    tape?.backward();
    return { ...values?.(), loss: loss.item() };
  });
}

/**
 * Changes the weights by the gradients that were added up, and takes the averages on; `ids` names the images in an error.
 * Throws NonFiniteLossError before anything changes.
 */
export function update(
  trainer: Trainer,
  step: number,
  ids: () => readonly string[],
): Pick<StepResult, "gradNorm" | "learningRate" | "skipped"> {
  const { optimizer, parameters, ema, scaler, maxGradNorm } = trainer;
  const finite = scaler?.unscale_(parameters) ?? true;
  const gradNorm = finite ? clipGradNorm_(parameters, maxGradNorm) : Infinity;
  if (finite && !Number.isFinite(gradNorm)) throw new NonFiniteLossError("gradient", step, ids());
  scaler?.update(finite);
  if (scaler && scaler.state().scale < 1)
    throw new NonFiniteLossError("gradient, even unscaled,", step, ids());
  optimizer.lr = trainer.learningRate(step);
  if (finite) {
    optimizer.step();
    ema?.step();
  }
  return { gradNorm, learningRate: optimizer.lr, skipped: !finite };
}

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

/** Means over the batches; a group's over those in which it is present. */
function averaged(results: readonly ObjectiveValues[]): ObjectiveValues {
  const [first] = results;
  if (first?.groupLosses === undefined || results.length === 1) return first ?? {};
  const of = (pick: (values: ObjectiveValues) => number | undefined) =>
    mean(results.map(pick).filter((value) => value !== undefined));
  const groups = [...new Set(results.flatMap((result) => [...(result.groupLosses?.keys() ?? [])]))].sort();
  const groupLosses = new Map(groups.map((g) => [g, of((result) => result.groupLosses?.get(g))]));
  return { mean: of((r) => r.mean), variance: of((r) => r.variance), groupLosses };
}
