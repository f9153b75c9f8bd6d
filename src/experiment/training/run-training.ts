// A training stage's work around the loop: pre-flight, run.json, trackers, validation.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { libtorchVersion, OutOfMemoryError } from "../../torch/index.ts";
import { explainShortage } from "../preflight/index.ts";
import type { StageContext } from "../stage.ts";
import { describeRun, openTrackers, type RunOutcome } from "../trackers/index.ts";
import { checkpointFolder } from "./checkpoints.ts";
import type { TrainingJob } from "./job.ts";
import { trainingLoop } from "./loop.ts";
import { type Preflight, preflightOf, type TrainedModel } from "./preflight.ts";
import { totalSteps } from "./settings.ts";
import { validationImages, validationLoss } from "./validation.ts";

/** Runs a job in the stage's folder; gives the loss of every step. Errors: those of the loop. */
export async function runTraining(
  context: StageContext,
  job: TrainingJob,
  model: TrainedModel,
): Promise<number[]> {
  const { signal, note } = context;
  const preflight = preflightOf(context, job, model);
  note(preflight.text);
  let record: ReturnType<typeof describeRun> | undefined;
  let done = 0;
  const end = (status: RunOutcome, reason?: string) => record?.update({ status, reason, lastStep: done });
  const progress: StageContext["progress"] = (report) => {
    done = report.done;
    context.progress(report);
  };
  try {
    const losses = await trainingLoop({ ...context, progress }, job, {
      openTracker: async (resumeStep) => {
        done = resumeStep;
        record = describe(context, job, model, { preflight, resumeStep });
        const tracker = await trackersOf(context, model, resumeStep);
        if (resumeStep === 0)
          model.histograms?.().forEach((values, name) => tracker.histogram(0, name, values));
        return tracker;
      },
      validate: (step, tracker) => validate(context, job, step, tracker),
    });
    end("finished");
    return losses;
  } catch (error) {
    if (error instanceof OutOfMemoryError) explainShortage(error, preflight.savings);
    if (signal.aborted && error === signal.reason) end("interrupted");
    else end("failed", error instanceof Error ? error.message : String(error));
    throw error;
  }
}

function describe(
  { config, dir }: StageContext,
  job: TrainingJob,
  { stage }: TrainedModel,
  { preflight, resumeStep }: { preflight: Preflight; resumeStep: number },
) {
  return describeRun(dir, {
    ...{ stage, config, resumeStep },
    versions: { libtorch: libtorchVersion() },
    models: preflight.models,
    data: { images: job.set.ids.length, captions: job.set.captions.length - 1 },
    steps: totalSteps(job.options, job.set.ids.length),
  });
}

const trackersOf = ({ config, dir, note }: StageContext, { stage }: TrainedModel, resumeStep: number) => {
  const { tracker, mlflowUrl, mlflowExperiment } = config.tracking;
  return openTrackers(dir, {
    tensorboard: tracker.includes("tensorboard"),
    ...(tracker.includes("mlflow") && { mlflow: { url: mlflowUrl, experiment: mlflowExperiment } }),
    resumeStep,
    run: { name: `${config.name} ${stage}`, config },
    onWarning: note,
  });
};

type Tracking = Awaited<ReturnType<typeof trackersOf>>;

async function validate(
  { config, dir, note }: StageContext,
  job: TrainingJob,
  step: number,
  tracker: Tracking,
): Promise<void> {
  const { scheduler, validation, set, seed, options } = job;
  const denoiser = job.whole ?? job.denoiser;
  if (validation) {
    const { images } = config.validation;
    const batches = { images, batchSize: options.batchSize, seed };
    const loss = await validationLoss({ denoiser, scheduler }, validation, batches);
    tracker.scalars(step, { validationLoss: loss });
    note(`Step ${step}: validation loss ${loss.toPrecision(5)}.`);
  }
  const folder = join(dir, "validation", `step-${String(step).padStart(6, "0")}`);
  const pictures = await validationImages(config, denoiser, set.latentShape, folder);
  for (const [prompt, pngs] of pictures) tracker.images(step, prompt, pngs);
}

/** Removes what only an interrupted run needs. */
export const removeCheckpoints = (dir: string): void =>
  rmSync(checkpointFolder(dir), { recursive: true, force: true });
