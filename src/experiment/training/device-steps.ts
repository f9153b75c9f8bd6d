// Steps on a device. What the program does for step i + 1 it does while the device works on step i, whose numbers it asks
// for only then: the device never waits for the program, nor the program for more than the numbers of the step before.
import {
  addGradients,
  averaged,
  type BatchResult,
  NonFiniteLossError,
  type Trainer,
} from "../../method/index.ts";
import { DeviceUpdate } from "../../nn/index.ts";
import { cat, scope, stack, synchronize, type Tensor } from "../../torch/index.ts";
import type { InputBatch, TrainingInput } from "../input/index.ts";
import type { TrainingJob } from "./job.ts";
import { readings, type Reading } from "./readings.ts";
import { type GraphOptions, repeatedWork } from "./repeated-work.ts";
import { type HeldBatch, stepBuffers } from "./step-buffers.ts";
import type { FinishedStep, Steps } from "./steps.ts";

/** A step that the device has been given. */
interface Queued {
  readonly step: number;
  readonly learningRate: number;
  readonly reading: Reading;
  readonly first: Pick<InputBatch, "stepRows" | "position">;
}

/**
 * Hands each step to the device and reads the one before. A step whose loss or gradient is no number changes nothing
 * there, nor do those behind it. Owns the input. With `graphs` the whole step becomes one graph.
 */
export function deviceSteps(
  { set, batches }: TrainingJob,
  trainer: Trainer,
  { input, graphs, note }: GraphOptions & { readonly input: TrainingInput },
): Steps {
  const { objective, accumulation = 1 } = trainer;
  const update = new DeviceUpdate(trainer, set.device);
  const buffers = stepBuffers();
  const sent = readings(set.device);
  const work = repeatedWork(set.device, () => wholeStep(trainer, update, buffers.batches), { graphs, note });
  let queued: Queued | undefined;

  async function queue(step: number): Promise<Queued> {
    const learningRate = trainer.learningRate(step);
    for (let part = 0; ; part++) {
      using given = await input.next();
      scope(() => buffers.put(part, given.batch, objective.weightsOf?.(given.rows)));
      if (part + 1 < accumulation) continue;
      update.setLearningRate(learningRate);
      const reading = sent.read(work.run());
      const { stepRows, position } = given;
      return { step, learningRate, reading, first: { stepRows, position } };
    }
  }

  async function result({ step, learningRate, reading, first }: Queued): Promise<FinishedStep> {
    const numbers = await reading.numbers();
    const { failed, gradNorm, skipped } = update.read(numbers);
    const values = averaged(batchResults(trainer, numbers.slice(update.size)));
    if (!failed) return { step, result: { ...values, gradNorm, skipped, learningRate } };
    // The step is to be drawn again by whoever goes on from here.
    batches.restore(first.position);
    const ids = Array.from(first.stepRows, (row) => set.ids[row]!);
    const what = trainer.scaler
      ? "gradient, even unscaled,"
      : Number.isFinite(values.loss)
        ? "gradient"
        : "loss";
    throw new NonFiniteLossError(what, step, ids);
  }

  const known = (before: Queued | undefined) => (before ? result(before) : Promise.resolve(undefined));

  return {
    async next(step) {
      const before = queued;
      queued = await queue(step);
      return known(before);
    },
    finish() {
      const before = queued;
      queued = undefined;
      return known(before);
    },
    pause: () => input.pause(),
    get idleShare() {
      return input.idleShare;
    },
    async [Symbol.asyncDispose]() {
      try {
        // Its memory may go only when the device has done with it.
        synchronize(set.device);
      } catch {
        // Every step was asked for its numbers: what is wrong with the device is known.
      }
      for (const part of [work, buffers, sent, update]) part[Symbol.dispose]();
      await input[Symbol.asyncDispose]();
    },
  };
}

/** The step itself: gradients of all batches, then the change of the weights. Gives `update`'s numbers and the batches'. */
function wholeStep(trainer: Trainer, update: DeviceUpdate, batches: readonly HeldBatch[]): Tensor {
  try {
    return scope(() => {
      const { lossScale } = update;
      const parts = batches.map((batch) =>
        addGradients(trainer, batch, { weights: batch.weights, lossScale }),
      );
      const loss = stack(parts.map((part) => part.loss));
      const numbers = update.apply(loss.mean());
      return cat([numbers, ...parts.flatMap(({ loss, told }) => [loss.view([1]), ...(told ? [told] : [])])]);
    });
  } finally {
    trainer.optimizer.zeroGrad();
  }
}

/** The batches' numbers, each with its loss first and then what the objective tells. */
function batchResults({ objective, accumulation = 1 }: Trainer, numbers: readonly number[]): BatchResult[] {
  const size = numbers.length / accumulation;
  return Array.from({ length: accumulation }, (_, part) => {
    const [loss, ...told] = numbers.slice(part * size, (part + 1) * size) as [number, ...number[]];
    return { ...objective.read?.(told), loss };
  });
}
