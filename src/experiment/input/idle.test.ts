// How long a device waits for its input, in a world whose clock is ours: a slow disk and a device whose steps take their time.
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memorySet } from "../../../test/memory-set.ts";
import { shuffledBatches } from "../../data/index.ts";
import { hostIdleMeter } from "./idle-meter.ts";
import type { PartSource } from "./part-source.ts";
import { readAheadInput } from "./read-ahead-input.ts";
import { plainInput } from "./plain-input.ts";
import type { InputOptions, TrainingInput } from "./training-input.ts";

interface Clock {
  readonly now: () => number;
  sleep(ms: number): Promise<void>;
  /** Lets time pass until the work is done. */
  run<T>(work: Promise<T>): Promise<T>;
}

function clock(): Clock {
  let time = 0;
  const sleepers: { readonly at: number; readonly wake: () => void }[] = [];
  return {
    now: () => time,
    sleep: (ms) => new Promise((wake) => sleepers.push({ at: time + ms, wake })),
    async run(work) {
      let isDone = false;
      const ended = work.finally(() => (isDone = true));
      ended.catch(() => undefined);
      for (;;) {
        // Everything that needs no time.
        for (let i = 0; i < 6; i++) await nextTurn();
        if (isDone) return ended;
        sleepers.sort((a, b) => a.at - b.at);
        const first = sleepers.shift()!;
        time = first.at;
        first.wake();
      }
    },
  };
}

const set = memorySet({ images: 8, latentShape: [2, 2, 2], stateShape: [2, 2] });
const optionsOf = (parts: number): InputOptions => ({
  ...{ set, batches: shuffledBatches(8, 2, 0), draw: { trainTimesteps: 10 }, seed: 0, first: 0, last: parts },
});

/** A set whose disk takes `reads[i]` milliseconds for part i, one after the other. */
function slowDisk({ sleep }: Clock, reads: readonly number[]): PartSource {
  let disk = Promise.resolve();
  let next = 0;
  return {
    async read({ request }) {
      const ms = reads[next++]!;
      await (disk = disk.then(() => sleep(ms)));
      const { moments, encoderHiddenStates } = await set.load(request);
      const tensors = [moments, encoderHiddenStates];
      return {
        staged: {},
        encode: () => ({ moments: moments.alias(), encoderHiddenStates: encoderHiddenStates.alias() }),
        [Symbol.dispose]: () => tensors.forEach((one) => one.dispose()),
      };
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Trains with steps of these lengths; gives the idle share of all parts and of the latest. */
async function train(time: Clock, input: TrainingInput, steps: readonly number[], pauseAfter?: number) {
  return time.run(
    (async () => {
      await using own = input;
      for (const [i, ms] of steps.entries()) {
        using _given = await own.next();
        await time.sleep(ms);
        if (i !== pauseAfter) continue;
        await time.sleep(100_000);
        own.pause();
      }
      return { total: own.totalIdleShare, latest: own.idleShare };
    })(),
  );
}

function ahead(reads: readonly number[], steps: readonly number[], parts: number) {
  const time = clock();
  const meter = hostIdleMeter(time.now);
  const source = slowDisk(time, reads);
  return train(time, readAheadInput(optionsOf(steps.length), { source, meter, ahead: parts }), steps);
}

const fill = (count: number, ms: number): number[] => Array.from({ length: count }, () => ms);

/** Idle share by the times themselves: a part is read when the disk and a slot are free, and used when it and the device are. */
function expectedShare(reads: readonly number[], steps: readonly number[], parts: number): number {
  const ends: number[] = [];
  let [disk, idle] = [0, 0];
  for (const [i, ms] of steps.entries()) {
    disk = Math.max(disk, ends[i - parts - 1] ?? 0) + reads[i]!;
    const before = ends.at(-1) ?? 0;
    if (i > 0) idle += Math.max(0, disk - before);
    ends.push(Math.max(before, disk) + ms);
  }
  return idle / (ends.at(-1)! - ends[0]!);
}

describe("reading ahead", () => {
  it.each([1, 2, 3])(
    "hides reads that take up to the length of a step, with %i parts ahead",
    async (parts) => {
      expect(await ahead(fill(40, 99), fill(40, 100), parts)).toEqual({ total: 0, latest: 0 });
      expect(await ahead(fill(40, 100), fill(40, 100), parts)).toEqual({ total: 0, latest: 0 });
    },
  );

  it("leaves what reads take longer than a step", async () => {
    const { total, latest } = await ahead(fill(40, 125), fill(40, 100), 2);
    // Each part takes 125 ms, in 25 of which the device waits.
    expect(total).toBeCloseTo(25 / 125, 10);
    expect(latest).toBeCloseTo(25 / 125, 10);
  });

  it("evens out a slow read by what was read before", async () => {
    const reads = fill(40, 20);
    reads[20] = 200;
    // Two parts of 100 ms are there when the slow read begins.
    expect((await ahead(reads, fill(40, 100), 2)).total).toBe(0);
    expect((await ahead(reads, fill(40, 100), 1)).total).toBeCloseTo(100 / 4000, 10);
    reads[20] = 280;
    expect((await ahead(reads, fill(40, 100), 2)).total).toBeCloseTo(80 / 3980, 10);
  });

  it("is measured right for any lengths", async () => {
    const lengths = fc.array(
      fc.record({ read: fc.integer({ min: 1, max: 90 }), step: fc.integer({ min: 1, max: 90 }) }),
      {
        minLength: 2,
        maxLength: 30,
      },
    );
    await fc.assert(
      fc.asyncProperty(lengths, fc.integer({ min: 1, max: 4 }), async (list, parts) => {
        const [reads, steps] = [list.map(({ read }) => read), list.map(({ step }) => step)];
        const { total } = await ahead(reads, steps, parts);
        expect(total).toBeCloseTo(expectedShare(reads, steps, parts), 10);
      }),
      { seed: 2, numRuns: 60 },
    );
  });
});

describe("the idle share", () => {
  it("is the read's part of the time when nothing is read ahead", async () => {
    const time = clock();
    const slow = {
      ...set,
      load: (request: Parameters<typeof set.load>[0]) => time.sleep(50).then(() => set.load(request)),
    };
    const input = plainInput({ ...optionsOf(10), set: slow }, { meter: hostIdleMeter(time.now) });
    expect((await train(time, input, fill(10, 100))).total).toBeCloseTo(50 / 150, 10);
  });

  it("looks back on the latest parts, and the total on all", async () => {
    const reads = [...fill(60, 200), ...fill(60, 1)];
    const { total, latest } = await ahead(reads, fill(120, 100), 1);
    expect(latest).toBe(0);
    expect(total).toBeCloseTo(expectedShare(reads, fill(120, 100), 1), 10);
    expect(total).toBeGreaterThan(0.3);
  });

  it("leaves out what came between two steps", async () => {
    const time = clock();
    const source = slowDisk(time, fill(20, 125));
    const input = readAheadInput(optionsOf(20), { source, meter: hostIdleMeter(time.now), ahead: 1 });
    const { total } = await train(time, input, fill(20, 100), 9);
    // Without the pause the 100 s would make it next to nothing. After it two parts are there already.
    expect(total).toBeGreaterThan(0.18);
    expect(total).toBeLessThan(0.2);
  });

  it("is unknown before the second part", async () => {
    expect(await ahead([5], [5], 1)).toEqual({ total: undefined, latest: undefined });
  });
});
