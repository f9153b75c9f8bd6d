// The loop around a training step: progress, metrics, checkpoints, validation, interruption. Both stages use it.
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { NonFiniteLossError, type StepResult, type Trainer, trainStep } from "../../method/index.ts";
import { minSnrWeights } from "../../schedulers/index.ts";
import { AdamW, Ema, LossScaler } from "../../nn/index.ts";
import { keep, scope, writeFileAtomic } from "../../torch/index.ts";
import type { StageContext } from "../stage.ts";
import { SpeedMeter, watchFirstStep } from "../preflight/index.ts";
import type { RunOutcome, Tracker } from "../trackers/index.ts";
import { restoreCheckpoint, saveCheckpoint } from "./checkpoints.ts";
import type { TrainingJob } from "./job.ts";
import { imagesPerStep, learningRateOf, precisionOf, totalSteps } from "./settings.ts";

export interface LoopHooks {
  /** Opened once it is known after which step the run goes on. */
  readonly openTracker: (resumeStep: number) => Promise<Tracker>;
  /** Called every `validateEvery` steps and after the last one, with the averaged weights in place. */
  readonly validate?: ((step: number, tracker: Tracker) => Promise<void>) | undefined;
  /** Told at the end, before the averaged weights take the place of the trained ones. */
  readonly finished?: ((trainer: Trainer) => void) | undefined;
}

const RECENT = 50;

/** Mean of the last losses. */
export const recentMean = (losses: readonly number[]): number => {
  const recent = losses.slice(-RECENT);
  return recent.reduce((sum, loss) => sum + loss, 0) / Math.max(1, recent.length);
};

/**
 * Runs the steps that an earlier try has not done, and gives the loss of every step. The trained tensors end as the
 * averaged ones if there is an EMA. On Ctrl-C it saves at the next step's end and throws the signal's reason.
 * Errors: NonFiniteLossError after saving the state before the step and the ids of its images; those of restoreCheckpoint.
 */
export async function trainingLoop(
  context: StageContext,
  job: TrainingJob,
  hooks: LoopHooks,
): Promise<number[]> {
  const { options, set, weights } = job;
  const { signal, note } = context;
  const steps = totalSteps(options, set.ids.length);
  using trainer = makeTrainer(job, steps);
  const restored = restoreCheckpoint(context, job, trainer);
  const losses = restored?.losses ?? [];
  const first = restored?.step ?? 0;
  if (first > 0) note(`Resuming after step ${first} of ${steps}.`);
  const tracker = await hooks.openTracker(first);
  const meter = new SpeedMeter();
  let watch = first === 0 ? watchFirstStep({ trainable: weights, frozen: job.frozen }) : undefined;
  const save = (step: number) => saveCheckpoint(context, job, trainer, { step, losses });
  let outcome: RunOutcome = "failed";
  try {
    for (let step = first; step < steps; step++) {
      // Taken before the batch is drawn, so that a checkpoint of this step draws it again.
      const position = job.batches.state();
      const { value: rows } = job.batches.next();
      const result = await trainStep(trainer, set, rows, step).catch(async (error: unknown) => {
        if (!(error instanceof NonFiniteLossError)) throw error;
        job.batches.restore(position);
        await tracker.flush();
        throw describeFailure(context.dir, error, save(step));
      });
      losses.push(result.loss);
      if (watch && result.learningRate > 0 && !result.skipped) {
        watch.check(updatedKeys(trainer));
        watch = undefined;
      }
      report(context, tracker, { result, losses, step, steps, images: imagesPerStep(options), meter });
      await nextTurn();
      const done = step + 1;
      const isLast = done === steps;
      if (hooks.validate && options.validateEvery > 0 && (isLast || done % options.validateEvery === 0)) {
        const { validate } = hooks;
        await (trainer.ema
          ? trainer.ema.withAverages(() => validate(done, tracker))
          : validate(done, tracker));
        meter.pause();
      }
      if (!isLast && (signal.aborted || done % options.checkpointEvery === 0)) {
        // Metrics first: a checkpoint never knows of steps that metrics.jsonl does not hold.
        await tracker.flush();
        save(done);
        meter.pause();
      }
      // After the last step nothing is left to stop.
      if (!isLast) signal.throwIfAborted();
    }
    outcome = "finished";
    hooks.finished?.(trainer);
    trainer.ema?.copyToParameters();
    return losses;
  } catch (error) {
    if (signal.aborted && error === signal.reason) outcome = "interrupted";
    throw error;
  } finally {
    await tracker.close(outcome);
  }
}

/** The trainer of a job; disposing releases optimizer, averages and loss weights, not the weights. */
export function makeTrainer(job: TrainingJob, steps: number): Trainer & Disposable {
  const { options, weights, scheduler, set } = job;
  const { betas, epsilon, weightDecay, ema: decay, snrGamma, accumulation } = options;
  const [beta1, beta2] = betas;
  const optimizer = new AdamW(weights, { betas: [beta1, beta2], eps: epsilon, weightDecay });
  const ema = decay > 0 ? new Ema(weights, { decay }) : undefined;
  const lossWeights =
    snrGamma === undefined ? undefined : keep(scope(() => minSnrWeights(scheduler, snrGamma).to(set.device)));
  const precision = precisionOf(options, set.device);
  const { captionDropout, noiseOffset, inputPerturbation, posterior } = options;
  return {
    ...{
      denoiser: job.denoiser,
      scheduler,
      objective: job.objective,
      optimizer,
      ema,
      lossWeights,
      precision,
    },
    ...{ seed: job.seed, accumulation, maxGradNorm: options.maxGradNorm },
    parameters: [...weights.values()],
    learningRate: learningRateOf(options, steps),
    draw: {
      trainTimesteps: scheduler.numTrainTimesteps,
      ...{ captionDropout, noiseOffset, inputPerturbation, posterior },
      ...job.draw,
    },
    gradientCheckpointing: options.gradientCheckpointing,
    scaler: precision === "float16" ? new LossScaler() : undefined,
    [Symbol.dispose]() {
      optimizer[Symbol.dispose]();
      ema?.[Symbol.dispose]();
      lossWeights?.dispose();
    },
  };
}

/** Keys of the tensors that a gradient has reached: the optimizer has moments for these alone. */
const updatedKeys = ({ optimizer }: Trainer): Set<string> =>
  new Set([...optimizer.stateDict().keys()].flatMap((key) => /^exp_avg\.(.*)$/.exec(key)?.[1] ?? []));

interface StepReport {
  readonly result: StepResult;
  readonly losses: readonly number[];
  readonly step: number;
  readonly steps: number;
  readonly images: number;
  readonly meter: SpeedMeter;
}

function report(
  { progress, note }: StageContext,
  tracker: Tracker,
  { result, losses, step, steps, images, meter }: StepReport,
): void {
  const { loss, gradNorm, learningRate, mean, variance, groupLosses, skipped } = result;
  const groups = [...(groupLosses ?? [])].map(([group, value]) => [`groupLoss/${group}`, value] as const);
  tracker.scalars(step + 1, {
    loss,
    ...(Number.isFinite(gradNorm) && { gradNorm }),
    learningRate,
    ...(mean !== undefined && { mean }),
    ...(variance !== undefined && { variance }),
    ...Object.fromEntries(groups),
    ...(skipped && { skipped: 1 }),
  });
  meter.step(images);
  const { imagesPerSecond, stepsPerSecond } = meter;
  tracker.timing(step + 1, { imagesPerSecond, stepsPerSecond });
  const seconds = meter.expectedSeconds(steps - step - 1);
  if (seconds !== undefined && meter.steps === 5)
    note(
      `Expected time from here: ${Math.ceil(seconds)} s (${meter.imagesPerSecond.toPrecision(3)} images/s).`,
    );
  const shownGroups = groups
    .slice(0, 4)
    .map(([name, value]) => [name.replace("groupLoss/", "group "), value] as const);
  progress({
    task: "training",
    done: step + 1,
    total: steps,
    images,
    values: { loss: recentMean(losses), gradNorm, lr: learningRate, ...Object.fromEntries(shownGroups) },
  });
}

/** Writes which images were in the batch, and adds to the message where they and the state are. */
function describeFailure(dir: string, error: NonFiniteLossError, checkpoint: string): NonFiniteLossError {
  const file = join(dir, "failed-batch.json");
  writeFileAtomic(file, `${JSON.stringify({ step: error.step + 1, ids: error.ids }, null, 2)}\n`);
  error.message += ` The state before this step is in ${checkpoint}, the ids of its images in ${file}.`;
  return error;
}
