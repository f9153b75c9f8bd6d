// The loop around a training step: progress, metrics, checkpoints, validation, interruption. Both stages use it.
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { NonFiniteLossError, type StepResult, type Trainer } from "../../method/index.ts";
import { minSnrWeights } from "../../schedulers/index.ts";
import { AdamW, Ema, LossScaler } from "../../nn/index.ts";
import { isHost, keep, scope, writeFileAtomic } from "../../torch/index.ts";
import { openInput } from "../input/index.ts";
import type { StageContext } from "../stage.ts";
import { SpeedMeter, watchFirstStep } from "../preflight/index.ts";
import type { RunOutcome, Tracker } from "../trackers/index.ts";
import { restoreCheckpoint, saveCheckpoint } from "./checkpoints.ts";
import { deviceSteps } from "./device-steps.ts";
import { hostSteps } from "./host-steps.ts";
import type { TrainingJob } from "./job.ts";
import { imagesPerStep, learningRateOf, precisionOf, totalSteps } from "./settings.ts";
import type { FinishedStep, Steps } from "./steps.ts";

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
  await using run = openSteps(context, job, trainer, { first, last: steps });
  const tracker = await hooks.openTracker(first);
  const meter = new SpeedMeter();
  let watch = first === 0 ? watchFirstStep({ trainable: weights, frozen: job.frozen }) : undefined;
  const save = (step: number) => saveCheckpoint(context, job, trainer, { step, losses });
  let outcome: RunOutcome = "failed";
  const settle = (finished: FinishedStep | undefined): void => {
    if (!finished) return;
    const { result, step } = finished;
    losses.push(result.loss);
    if (watch && result.learningRate > 0 && !result.skipped) {
      watch.check(updatedKeys(trainer));
      watch = undefined;
    }
    const { idleShare } = run;
    report(context, tracker, {
      result,
      losses,
      step,
      steps,
      images: imagesPerStep(options),
      meter,
      idleShare,
    });
  };
  const pause = () => {
    meter.pause();
    run.pause();
  };
  try {
    for (let step = first; step < steps; step++) {
      settle(await run.next(step));
      await nextTurn();
      const done = step + 1;
      const isLast = done === steps;
      const { validate } =
        options.validateEvery > 0 && (isLast || done % options.validateEvery === 0) ? hooks : {};
      const isCheckpoint = signal.aborted || done % options.checkpointEvery === 0;
      // What looks at the weights has to see this step's, and know of it.
      if (isLast || validate || isCheckpoint || watch) settle(await run.finish());
      if (validate) {
        await (trainer.ema
          ? trainer.ema.withAverages(() => validate(done, tracker))
          : validate(done, tracker));
        pause();
      }
      // After the last step nothing is left to stop.
      if (isLast) break;
      if (isCheckpoint || signal.aborted) {
        // Metrics first: a checkpoint never knows of steps that metrics.jsonl does not hold.
        await tracker.flush();
        save(done);
        pause();
      }
      signal.throwIfAborted();
    }
    outcome = "finished";
    hooks.finished?.(trainer);
    trainer.ema?.copyToParameters();
    return losses;
  } catch (error) {
    if (error instanceof NonFiniteLossError) {
      await tracker.flush();
      throw describeFailure(context.dir, error, save(error.step));
    }
    if (signal.aborted && error === signal.reason) outcome = "interrupted";
    // A step that the device has done already is told of.
    else
      await run
        .finish()
        .then(settle)
        .catch(() => undefined);
    throw error;
  } finally {
    await tracker.close(outcome);
  }
}

/** How the steps first..last-1 are made where the weights are. */
function openSteps(
  { config, note }: StageContext,
  job: TrainingJob,
  trainer: Trainer,
  { first, last }: { readonly first: number; readonly last: number },
): Steps {
  const { set, batches } = job;
  const { draw, seed, accumulation } = trainer;
  const input = openInput({ set, batches, draw, seed, accumulation, first, last });
  if (isHost(set.device)) return hostSteps(job, trainer, input);
  return deviceSteps(job, trainer, { input, graphs: config.accelerator.graphs, note });
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
  // A device keeps the noise schedule, so that no step has to wait for it.
  const noising = isHost(set.device) ? undefined : scheduler.forwardProcess(set.device);
  const { captionDropout, noiseOffset, inputPerturbation, posterior } = options;
  return {
    ...{
      denoiser: job.denoiser,
      scheduler: noising ?? scheduler,
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
      noising?.[Symbol.dispose]();
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
  readonly idleShare: number | undefined;
}

function report(
  { progress, note }: StageContext,
  tracker: Tracker,
  { result, losses, step, steps, images, meter, idleShare }: StepReport,
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
  tracker.timing(step + 1, {
    ...{ imagesPerSecond, stepsPerSecond },
    ...(idleShare !== undefined && { idleShare }),
  });
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
