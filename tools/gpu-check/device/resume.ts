// A training that was interrupted and went on ends like one that was not, to the bit; as one graph per step it is the same
// but for rounding. The job is that of the loop's own tests, with everything random switched on.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfig } from "../../../src/experiment/config.ts";
import { openTrackers } from "../../../src/experiment/trackers/index.ts";
import { trainingLoop } from "../../../src/experiment/training/loop.ts";
import { type Device, keep, scope, setDeterministic, type Tensor } from "../../../src/torch/index.ts";
import { trainingContext, trainingJob } from "../../../test/training-job.ts";
import { type Checks, relativeError } from "../parity/checks.ts";
import { differing, holds } from "./truth.ts";

type Stage = "base" | "guidance";

interface Run {
  readonly stage: Stage;
  readonly graphs: "on" | "off";
  readonly folder: string;
  /** Stops as Ctrl-C does after this many of its 12 steps. */
  readonly stopAfter?: number;
}

const INTERRUPTIONS = [
  { stopAfter: 1, graphs: "on" },
  { stopAfter: 7, graphs: "on" },
  { stopAfter: 7, graphs: "off" },
] as const;
/** A graph may hold other algorithms of the libraries than the calls one by one, and Adam enlarges what is near zero. */
const ROUNDING = 1e-4;

/** Trains in `folder`, from its checkpoint if there is one; gives the weights on the processor, or undefined when stopped. */
async function train(
  device: Device,
  { stage, graphs, folder, stopAfter }: Run,
): Promise<Tensor[] | undefined> {
  using job = trainingJob(stage, {}, device);
  const controller = new AbortController();
  const stopped = new Error("stopped for the check");
  const context = trainingContext({
    config: parseConfig({ accelerator: { graphs } }),
    dir: join(folder, `${stage}.partial`),
    signal: controller.signal,
    progress: ({ done }) => {
      if (done === stopAfter) controller.abort(stopped);
    },
  });
  const tracker = { tensorboard: false, run: { name: "gpu-check", config: {} } };
  try {
    await trainingLoop(context, job, {
      openTracker: (resumeStep) => openTrackers(context.dir, { ...tracker, resumeStep }),
    });
  } catch (error) {
    if (error !== stopped) throw error;
    return undefined;
  }
  return scope(() => Array.from(job.weights.values(), (value) => keep(value.detach().to("cpu").clone())));
}

/** Interrupted runs of both stages against whole ones, with and without graphs. */
export async function checkResume(checks: Checks): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "invdiff-resume-"));
  // Kernels that add in any order give other last bits each time.
  setDeterministic(true);
  try {
    for (const stage of ["base", "guidance"] as const) await checkStage(checks, stage, join(root, stage));
  } finally {
    setDeterministic(false);
    rmSync(root, { recursive: true, force: true });
  }
}

async function checkStage(checks: Checks, stage: Stage, root: string): Promise<void> {
  const { device, within } = checks;
  const held: Tensor[] = [];
  const finished = async (run: Omit<Run, "stage">): Promise<Tensor[]> => {
    const weights = await train(device, { stage, ...run });
    if (weights === undefined) throw new Error("The training was stopped, but should have ended.");
    held.push(...weights);
    return weights;
  };
  try {
    const plain = await finished({ graphs: "off", folder: join(root, "plain") });
    const whole = await finished({ graphs: "on", folder: join(root, "whole") });
    whole.forEach((value, i) => {
      const error = relativeError(value, plain[i]!);
      within("training: a graph per step", `${stage}, tensor ${i}`, error, ROUNDING);
    });
    for (const { stopAfter, graphs } of INTERRUPTIONS) {
      const at = `${stage}, after ${stopAfter} steps, graphs ${graphs}`;
      const folder = join(root, `${graphs}-${stopAfter}`);
      const first = await train(device, { stage, graphs, folder, stopAfter });
      holds(checks, "training goes on: it was interrupted", at, first === undefined);
      const resumed = await finished({ graphs, folder });
      const expected = graphs === "on" ? whole : plain;
      const count = resumed.reduce((sum, value, i) => sum + differing(value, expected[i]!), 0);
      within("training goes on: differing numbers", at, count, 0);
    }
  } finally {
    for (const tensor of held) tensor.dispose();
  }
}
