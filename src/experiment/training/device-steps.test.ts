// Training on a device (simulated: it counts waits, and replays what was recorded on the same memory): recorded or not, the
// very bits are the same; the program waits for nothing; what fails changes nothing; what is interrupted goes on.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { settledTensorCount } from "../../../test/settled.ts";
import { simulatedDevice } from "../../../test/simulated-device.ts";
import { trainingContext, trainingJob, type TrainingChanges } from "../../../test/training-job.ts";
import { NonFiniteLossError, type Trainer } from "../../method/index.ts";
import { noGrad, OutOfMemoryError, scope, type Tensor, tensor, tensorCount } from "../../torch/index.ts";
import { parseConfig } from "../config.ts";
import { InterruptedError } from "../interrupt.ts";
import type { StageContext } from "../stage.ts";
import { openTrackers } from "../trackers/index.ts";
import type { TrainingJob } from "./job.ts";
import { type LoopHooks, trainingLoop } from "./loop.ts";

const simulated = simulatedDevice();
const { device } = simulated;

type Stage = "base" | "guidance";
type Graphs = "auto" | "on" | "off";
type State = Map<string, number[]>;

const contextWith = (graphs: Graphs, changes: Partial<StageContext> = {}) =>
  trainingContext({ config: parseConfig({ accelerator: { graphs } }), ...changes });

/** Everything that a run leaves: weights, optimizer, averages, losses, metrics. */
async function outcome(context: StageContext, job: TrainingJob, validate?: LoopHooks["validate"]) {
  const state: State = new Map();
  const keepState = ({ optimizer, ema }: Trainer) => {
    optimizer.stateDict().forEach((value, key) => state.set(`optimizer ${key}`, value.toNumbers()));
    ema?.stateDict().forEach((value, key) => state.set(`ema ${key}`, value.toNumbers()));
  };
  const losses = await trainingLoop(context, job, {
    openTracker: (resumeStep) =>
      openTrackers(context.dir, { tensorboard: false, resumeStep, run: { name: "test", config: {} } }),
    finished: keepState,
    validate,
  });
  job.weights.forEach((value, key) => state.set(key, value.toNumbers()));
  return { losses, state, metrics: metricsOf(context.dir) };
}

const metricsOf = (dir: string) =>
  readFileSync(join(dir, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, number>);

async function wholeRun(stage: Stage, changes: TrainingChanges, graphs: Graphs) {
  using job = trainingJob(stage, changes, device);
  const context = contextWith(graphs);
  const result = await outcome(context, job);
  rmSync(context.out, { recursive: true });
  return { ...result, notes: context.notes };
}

/** The mean with one image so heavy that half-precision gradients overflow. */
const heavy = (row: number): TrainingJob["objective"] => ({
  weightsOf: (rows) => tensor(Array.from(rows, (own) => [own === row ? 1e5 : 1])),
  of: (losses, weights) => ({ loss: losses.mul(weights!.view([-1])).mean() }),
});

const SCHEDULED = { steps: 8, schedule: "cosine", warmup: 2, ema: 0.9 };
const cases: [Stage, TrainingChanges][] = [
  ["base", SCHEDULED],
  ["guidance", SCHEDULED],
  ["base", { ...SCHEDULED, gradientCheckpointing: true, precision: "bfloat16", accumulation: 1 }],
  ["guidance", { ...SCHEDULED, gradientCheckpointing: true, accumulation: 3, ema: 0 }],
];

describe("eight steps", () => {
  it.each(cases)(
    "of %s with %o are the same to the bit, recorded or not",
    async (stage, changes) => {
      const eager = await wholeRun(stage, changes, "off");
      const recorded = await wholeRun(stage, changes, "on");
      expect(eager.state.size).toBeGreaterThan(50);
      expect(eager.losses.every(Number.isFinite)).toBe(true);
      expect(recorded.losses).toEqual(eager.losses);
      expect(recorded.state).toEqual(eager.state);
      expect(recorded.metrics).toEqual(eager.metrics);
      expect(eager.metrics.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    },
    60_000,
  );

  it.each(["base", "guidance"] as const)(
    "of %s are the processor's but for rounding",
    async (stage) => {
      const recorded = await wholeRun(stage, SCHEDULED, "on");
      using job = trainingJob(stage, SCHEDULED);
      const context = trainingContext();
      const host = await outcome(context, job);
      rmSync(context.out, { recursive: true });
      host.losses.forEach((loss, i) =>
        expect(Math.abs(recorded.losses[i]! - loss) / loss).toBeLessThan(2e-5),
      );
      host.metrics.forEach((line, i) => {
        expect(Object.keys(recorded.metrics[i]!)).toEqual(Object.keys(line));
        for (const [name, value] of Object.entries(line))
          expect(Math.abs(recorded.metrics[i]![name]! - value), name).toBeLessThan(1e-4 * Math.max(1, value));
      });
      expect([...recorded.state.keys()].sort()).toEqual([...host.state.keys()].sort());
      for (const [key, values] of host.state) {
        const own = recorded.state.get(key)!;
        const [error, norm] = [values.map((value, i) => value - own[i]!), values].map((list) =>
          Math.hypot(...list),
        );
        expect(error! / (norm! + 1e-2), key).toBeLessThan(1e-3);
      }
    },
    60_000,
  );

  it("in float16 skip what overflows, recorded or not, and on the processor", async () => {
    const changes = { ...SCHEDULED, precision: "float16", snrGamma: undefined, accumulation: 1 };
    const run = async (graphs: Graphs, on: string) => {
      using job = trainingJob("base", changes, on);
      const rows = Array.from({ length: 5 }, () => job.batches.next().value);
      job.batches.restore({ ...job.batches.state(), position: 0 });
      const context = contextWith(graphs);
      const result = await outcome(context, { ...job, objective: heavy(rows[4]![0]!) });
      rmSync(context.out, { recursive: true });
      return result;
    };
    const [eager, recorded, host] = [
      await run("off", device),
      await run("on", device),
      await run("off", "cpu"),
    ];
    expect(recorded).toEqual(eager);
    const skipped = ({ metrics }: typeof eager) =>
      metrics.filter((line) => line["skipped"]).map(({ step }) => step);
    expect(skipped(eager)).toContain(5);
    expect(skipped(eager).length).toBeLessThan(6);
    expect(skipped(eager)).toEqual(skipped(host));
    const count = (of: State) => of.get("optimizer step.conv_in.weight");
    expect(count(eager.state)).toEqual([8 - skipped(eager).length]);
    expect(count(host.state)).toEqual(count(eager.state));
  }, 60_000);
});

describe("the program", () => {
  it.each(["off", "on"] as const)(
    "never waits for the device (graphs %s), and knows each step one later",
    async (graphs) => {
      using job = trainingJob("guidance", { steps: 14 }, device);
      const seen: number[] = [];
      let waits: string[] = [];
      const context = contextWith(graphs, {
        progress: ({ done }) => {
          seen.push(done);
          if (done === 5) simulated.resetWaits();
          if (done === 12) waits = simulated.waitLines().filter((line) => !line.startsWith("staged"));
        },
      });
      await outcome(context, job);
      expect(seen).toEqual(Array.from({ length: 14 }, (_, i) => i + 1));
      expect(waits).toEqual([]);
      rmSync(context.out, { recursive: true });
    },
  );

  it("starts a recorded step by one launch", async () => {
    using job = trainingJob("base", { steps: 10 }, device);
    const launches: number[] = [];
    const context = contextWith("on", { progress: () => launches.push(simulated.launches()) });
    await outcome(context, job);
    const each = launches.slice(1).map((count, i) => count - launches[i]!);
    // The graph, the copies of two batches into their places, the learning rate, the numbers' way back.
    expect(Math.max(...each.slice(5, 8))).toBeLessThan(60);
    expect(each[1]).toBeGreaterThan(1000);
    rmSync(context.out, { recursive: true });
  });

  it("goes on without a graph where none can be made, and says so; with graphs on it is an error", async () => {
    const reading = (job: TrainingJob): TrainingJob => ({
      ...job,
      objective: { of: (losses) => ({ loss: losses.mean().mul(losses.isfinite().all().item()) }) },
    });
    using one = trainingJob("base", { steps: 8 }, device);
    const context = contextWith("auto");
    const { losses } = await outcome(context, reading(one));
    expect(context.notes[0]).toMatch(/step was not recorded as a graph \(.*item.*goes on without/s);
    using other = trainingJob("base", { steps: 8 }, device);
    expect(losses).toEqual((await outcome(contextWith("off"), other)).losses);
    using third = trainingJob("base", { steps: 8 }, device);
    await expect(outcome(contextWith("on"), reading(third))).rejects.toThrow(/could not be captured/);
  }, 60_000);

  it("holds nothing when it is over, and lets others look at the averages in between", async () => {
    const plain = await wholeRun("base", { steps: 9 }, "on");
    const before = settledTensorCount();
    {
      using job = trainingJob("base", { steps: 9, validateEvery: 2 }, device);
      const context = contextWith("on");
      const looked: number[] = [];
      const own = job.weights.get("conv_in.weight")!;
      const result = await outcome(context, job, (step) => {
        looked.push(step, own.toNumbers()[0]!);
        return Promise.resolve();
      });
      expect(looked.filter((_, i) => i % 2 === 0)).toEqual([2, 4, 6, 8, 9]);
      expect(looked.at(-1)).toBe(result.state.get("ema conv_in.weight")![0]);
      expect(result.state).toEqual(plain.state);
      rmSync(context.out, { recursive: true });
    }
    expect(settledTensorCount()).toBe(before);
    expect(tensorCount()).toBe(before);
  });
});

describe("a run on a device", () => {
  const interrupted = async (done: number, changes: TrainingChanges, dir?: string) => {
    const controller = new AbortController();
    const reason = new InterruptedError("Stopped by Ctrl-C.");
    using job = trainingJob("base", changes, device);
    const context = contextWith("on", {
      signal: controller.signal,
      progress: (progress) => progress.done === done && controller.abort(reason),
      ...(dir !== undefined && { dir }),
    });
    await expect(outcome(context, job)).rejects.toBe(reason);
    return context.dir;
  };

  it.each([{}, { precision: "float16", snrGamma: undefined }] as TrainingChanges[])(
    "with %o goes on to the bit after Ctrl-C, again and again, a step after it was told",
    async (changes) => {
      const whole = await wholeRun("base", changes, "on");
      let dir: string | undefined;
      for (const done of [1, 3, 5, 8]) dir = await interrupted(done, changes, dir);
      using job = trainingJob("base", changes, device);
      const context = contextWith("on", { dir: dir! });
      const { losses, state, metrics } = await outcome(context, job);
      expect({ losses, state, metrics }).toEqual({
        losses: whole.losses,
        state: whole.state,
        metrics: whole.metrics,
      });
      // The step that was under way when it was told of step 8 is in the checkpoint too.
      expect(context.notes[0]).toBe("Resuming after step 9 of 12.");
      rmSync(context.out, { recursive: true });
    },
    60_000,
  );

  it.each(["off", "on"] as const)(
    "stops before a loss that is no number reaches the weights (graphs %s)",
    async (graphs) => {
      const changes = { accumulation: 1, warmup: 0, steps: 12 };
      const whole = await wholeRun("base", changes, graphs);
      using job = trainingJob("base", changes, device);
      const broken = (await rowsOf(changes))[6]!;
      const { moments } = job.set as unknown as { moments: Tensor };
      const good = scope(() => moments.clone().toNumbers());
      // Broken only while the seventh step is read: an image comes again in later epochs.
      const load = job.set.load.bind(job.set);
      let loads = 0;
      const set = Object.assign(Object.create(job.set) as TrainingJob["set"], {
        load: async (request: Parameters<typeof load>[0]) => {
          const encoded = await load(request);
          if (loads++ === 6) noGrad(() => scope(() => encoded.moments.mul_(NaN)));
          return encoded;
        },
      });
      const context = contextWith(graphs);
      const error: unknown = await outcome(context, { ...job, set }).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(NonFiniteLossError);
      expect(error).toMatchObject({ step: 6, ids: Array.from(broken, (row) => `${row}.png`) });
      expect(String(error)).toMatch(/The loss at step 7 is not a finite number.*checkpoint-000006/s);
      expect(existsSync(join(context.dir, "checkpoints", "checkpoint-000006", "manifest.json"))).toBe(true);
      expect(metricsOf(context.dir)).toEqual(whole.metrics.slice(0, 6));
      expect(scope(() => moments.toNumbers())).toEqual(good);
      // With sound images it goes on from there as if nothing had happened.
      using again = trainingJob("base", changes, device);
      const resumed = contextWith(graphs, { dir: context.dir });
      expect(await outcome(resumed, again)).toMatchObject({ losses: whole.losses, state: whole.state });
      expect(resumed.notes[0]).toBe("Resuming after step 6 of 12.");
      rmSync(context.out, { recursive: true });
    },
    60_000,
  );

  it("ends with a typed error when the memory runs out, and leaves nothing", async () => {
    const before = settledTensorCount();
    const limit = simulated.memoryLimit();
    {
      using job = trainingJob("base", { steps: 8, batchSize: 8 }, device);
      const context = contextWith("off", {
        progress: ({ done }) => done === 2 && simulated.setMemoryLimit(1),
      });
      try {
        await expect(outcome(context, job)).rejects.toBeInstanceOf(OutOfMemoryError);
      } finally {
        simulated.setMemoryLimit(limit);
      }
      rmSync(context.out, { recursive: true });
    }
    expect(settledTensorCount()).toBe(before);
  });
});

async function rowsOf(changes: TrainingChanges): Promise<Int32Array[]> {
  using job = trainingJob("base", changes);
  return Promise.resolve(Array.from({ length: 12 }, () => job.batches.next().value));
}
