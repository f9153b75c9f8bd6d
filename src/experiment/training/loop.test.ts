// The loop's promises: an interrupted run ends like an uninterrupted one, to the bit; nothing grows; failures stop in time.
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { settledTensorCount } from "../../../test/settled.ts";
import { trainingContext, trainingJob, type TrainingChanges } from "../../../test/training-job.ts";
import type { Trainer } from "../../method/index.ts";
import { noGrad, scope, tensorCount } from "../../torch/index.ts";
import type { StageContext } from "../stage.ts";
import { openTrackers } from "../trackers/index.ts";
import { InterruptedError } from "../interrupt.ts";
import type { TrainingJob } from "./job.ts";
import { trainingLoop } from "./loop.ts";

type Stage = "base" | "guidance";

/** Everything that a run leaves: weights, optimizer, averages, losses, metrics. */
async function outcome(context: StageContext, job: TrainingJob) {
  const state = new Map<string, number[]>();
  const finished = (trainer: Trainer) => {
    trainer.optimizer.stateDict().forEach((value, key) => state.set(`optimizer ${key}`, value.toNumbers()));
    trainer.ema?.stateDict().forEach((value, key) => state.set(`ema ${key}`, value.toNumbers()));
  };
  const losses = await trainingLoop(context, job, {
    openTracker: (resumeStep) =>
      openTrackers(context.dir, { tensorboard: false, resumeStep, run: { name: "test", config: {} } }),
    finished,
  });
  job.weights.forEach((value, key) => state.set(key, value.toNumbers()));
  return { losses, state, metrics: readFileSync(join(context.dir, "metrics.jsonl"), "utf8") };
}

async function wholeRun(stage: Stage, changes?: TrainingChanges) {
  using job = trainingJob(stage, changes);
  const context = trainingContext();
  const result = await outcome(context, job);
  rmSync(context.out, { recursive: true });
  return result;
}

/** Runs until `done` steps are done, then stops as Ctrl-C does. */
async function interrupted(stage: Stage, done: number, changes: TrainingChanges, dir?: string) {
  const controller = new AbortController();
  const reason = new InterruptedError("Stopped by Ctrl-C.");
  const context = trainingContext({
    signal: controller.signal,
    progress: (progress) => progress.done === done && controller.abort(reason),
    ...(dir !== undefined && { dir }),
  });
  using job = trainingJob(stage, changes);
  await expect(outcome(context, job)).rejects.toBe(reason);
  return context.dir;
}

const EVERY = Array.from({ length: 11 }, (_, i) => i + 1);

describe.each([
  ["base", {}, EVERY],
  ["guidance", {}, EVERY],
  ["base", { precision: "float16", snrGamma: undefined }, [1, 7]],
  ["guidance", { gradientCheckpointing: true, precision: "bfloat16" }, [1, 7]],
] as [Stage, TrainingChanges, number[]][])("resuming %s with %o", (stage, changes, boundaries) => {
  it(`after ${boundaries.join(", ")} of 12 steps gives the very bits of the whole run`, async () => {
    const whole = await wholeRun(stage, changes);
    expect(whole.losses).toHaveLength(12);
    expect(whole.state.size).toBeGreaterThan(50);
    for (const done of boundaries) {
      const dir = await interrupted(stage, done, changes);
      using job = trainingJob(stage, changes);
      const context = trainingContext({ dir });
      const resumed = await outcome(context, job);
      expect(context.notes[0]).toBe(`Resuming after step ${done} of 12.`);
      expect({ done, ...resumed }).toEqual({ done, ...whole });
      rmSync(context.out, { recursive: true });
    }
  }, 60_000);
});

describe("resuming", () => {
  it("again and again, at every step, ends the same", async () => {
    const whole = await wholeRun("base");
    let dir: string | undefined;
    for (let done = 1; done < 12; done++) dir = await interrupted("base", done, {}, dir);
    using job = trainingJob("base");
    expect(await outcome(trainingContext({ dir: dir! }), job)).toEqual(whole);
    rmSync(join(dir!, ".."), { recursive: true });
  });

  it("from another checkpoint than the newest, by its path", async () => {
    const whole = await wholeRun("base");
    const dir = await interrupted("base", 9, { checkpointEvery: 2, keep: 9 });
    const checkpoints = join(dir, "checkpoints");
    expect(readdirSync(checkpoints).filter((name) => !name.startsWith("."))).toHaveLength(5);
    using job = trainingJob("base", { checkpointEvery: 2, keep: 9 });
    const context = trainingContext({ dir, resume: join(checkpoints, "checkpoint-000004") });
    expect(await outcome(context, job)).toEqual(whole);
    expect(context.notes[0]).toBe("Resuming after step 4 of 12.");
  });

  it("refuses other settings and says which", async () => {
    const dir = await interrupted("base", 5, {});
    using job = trainingJob("base", { learningRate: 0.5, batchSize: 2 });
    await expect(outcome(trainingContext({ dir }), job)).rejects.toThrow(
      /made with other settings.*\n {2}batchSize: 4 -> 2\n {2}learningRate: 0.01 -> 0.5\nResume with the settings/s,
    );
    using same = trainingJob("base");
    await expect(outcome(trainingContext({ dir, key: "another base" }), same)).rejects.toThrow(
      /its images, model or base are others/,
    );
  });
});

describe("a run", () => {
  it("holds nothing when it is over", async () => {
    await wholeRun("base");
    const before = settledTensorCount();
    await wholeRun("guidance");
    expect(tensorCount()).toBe(before);
  });

  it("stops before a loss that is no number reaches the weights", async () => {
    using job = trainingJob("base", { accumulation: 1, warmup: 0 });
    let last: number[] = [];
    const context = trainingContext({
      progress: ({ done }) => {
        if (done !== 5) return;
        last = job.weights.get("conv_in.weight")!.toNumbers();
        // A broken image: it stands in the way once its turn comes.
        const { moments } = job.set as unknown as { moments: import("../../torch/index.ts").Tensor };
        noGrad(() => scope(() => moments.mul_(NaN)));
      },
    });
    const error: unknown = await outcome(context, job).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ name: "NonFiniteLossError", step: 5, kind: "user" });
    expect(String(error)).toMatch(/The loss at step 6 is not a finite number.*\d+\.png.*checkpoint-000005/s);
    expect(job.weights.get("conv_in.weight")!.toNumbers()).toEqual(last);
    const { ids, step } = JSON.parse(readFileSync(join(context.dir, "failed-batch.json"), "utf8")) as {
      ids: string[];
      step: number;
    };
    expect([ids.length, step]).toEqual([4, 6]);
    expect(existsSync(join(context.dir, "checkpoints", "checkpoint-000005", "manifest.json"))).toBe(true);
  });
});
