// Reading ahead changes no number: every part is what reading in its turn gives, and the batches stand where they would.
import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CachedRows, cachedRows } from "../../../test/cached-rows.ts";
import { memorySet } from "../../../test/memory-set.ts";
import { settledTensorCount } from "../../../test/settled.ts";
import {
  type BatchState,
  type DiffusionBatch,
  type EncodedBatch,
  planBatch,
  shuffledBatches,
  stepGenerator,
  type TrainingSet,
  weightedBatches,
} from "../../data/index.ts";
import { InvDiffError, keep, scope, type Tensor, tensor, tensorCount } from "../../torch/index.ts";
import { type InputBatch, type InputOptions, openInput, type TrainingInput } from "./index.ts";
import { hostIdleMeter } from "./idle-meter.ts";
import { type PartSource, openSource } from "./part-source.ts";
import { plainInput } from "./plain-input.ts";
import { readAheadInput } from "./read-ahead-input.ts";
import { startRowReader } from "./row-reader.ts";

let folder: string;
let cached: CachedRows;
const memory = memorySet({ images: 20, latentShape: [4, 4, 4], stateShape: [3, 8] });
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "input-"));
  cached = await cachedRows(folder);
});
afterAll(() => {
  for (const set of [cached, memory]) set[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

/** A set whose "pictures" are row numbers, decoded in the background and encoded when their turn comes. */
function pictureSet(): TrainingSet {
  const moments = ({ rows, flips }: { rows: Int32Array; flips?: Uint8Array | undefined }) =>
    memory.load({ rows, flips, captions: rows.map(() => 0) });
  const states = (captions: Int32Array) => keep(scope(() => memory.states.indexSelect(0, index(captions))));
  let decoded: EncodedBatch | undefined;
  return {
    ...memory,
    async load(request) {
      const { moments: own, encoderHiddenStates } = await moments(request);
      encoderHiddenStates.dispose();
      return { moments: own, encoderHiddenStates: states(request.captions) };
    },
    reading: {
      kind: "pictures",
      stateShape: [3, 8],
      states,
      async decode(request) {
        decoded = await moments(request);
        decoded.encoderHiddenStates.dispose();
        return decoded.moments;
      },
      encode: (pictures) => keep(scope(() => pictures.clone())),
    },
    [Symbol.dispose]: () => undefined,
  };
}

const index = (values: Int32Array): Tensor => tensor(values, { dtype: "int64" });

const DRAW = {
  ...{ trainTimesteps: 1000, captionDropout: 0.2, flip: true, noiseOffset: 0.1, inputPerturbation: 0.1 },
  highNoise: { from: 600, share: 0.5 },
};

interface Run {
  readonly first?: number;
  readonly last?: number;
  readonly accumulation?: number;
  readonly draw?: InputOptions["draw"];
  readonly state?: BatchState;
  readonly kind?: "shuffled" | "weighted";
  readonly signal?: AbortSignal;
}

function optionsOf(set: TrainingSet, run: Run = {}): InputOptions {
  const { first = 0, last = 9, accumulation = 2, draw = DRAW, state, kind = "shuffled", signal } = run;
  const size = 3 * accumulation;
  const weights = Array.from({ length: 20 }, (_, i) => 1 + (i % 3));
  const batches = kind === "shuffled" ? shuffledBatches(20, size, 7) : weightedBatches(weights, size, 7);
  if (state) batches.restore(state);
  return { set, batches, draw, seed: 11, accumulation, first, last, signal };
}

/** Everything that is told of a part, as plain numbers. */
function told({ step, part, rows, stepRows, position, batch }: InputBatch, now: BatchState) {
  const values = Object.entries(batch as DiffusionBatch & Record<string, Tensor | undefined>).map(
    ([name, value]) => [name, value?.shape, value?.toNumbers()],
  );
  return { step, part, rows: [...rows], stepRows: [...stepRows], position, now, values };
}

/** All parts of an input, which is over then. */
async function all(input: TrainingInput, { batches, first, last, accumulation = 1 }: InputOptions) {
  await using own = input;
  const parts = [];
  for (let i = 0; i < (last - first) * accumulation; i++) {
    using given = await own.next();
    parts.push(told(given, batches.state()));
  }
  await expect(own.next()).rejects.toThrow(`after step ${last}, the last one`);
  return parts;
}

/** The same by the set's own `load`, without any of the code under test. */
async function byHand({ set, batches, draw, seed, accumulation = 1, first, last }: InputOptions) {
  const parts: ReturnType<typeof told>[] = [];
  for (let step = first; step < last; step++) {
    const position = batches.state();
    const { value: stepRows } = batches.next();
    for (let part = 0; part < accumulation; part++) {
      const rows = stepRows.subarray(3 * part, 3 * (part + 1));
      const plan = planBatch(set, rows, stepGenerator(seed, step * accumulation + part), draw);
      const encoded = await set.load(plan.request);
      scope(() => {
        const batch = plan.diffuse(encoded, set.scalingFactor);
        parts.push(
          told({ step, part, rows, stepRows, position, batch, [Symbol.dispose]: () => {} }, batches.state()),
        );
      });
      encoded.moments.dispose();
      encoded.encoderHiddenStates.dispose();
    }
  }
  return parts;
}

const sets: [string, () => TrainingSet][] = [
  ["a cache", () => cached],
  ["pictures", pictureSet],
  ["any set", () => memory],
];

describe.each(sets)("input from %s", (_, make) => {
  it.each([
    [0, { accumulation: 1 }],
    [1, {}],
    [2, { kind: "weighted" }],
    [2, { draw: { trainTimesteps: 50, posterior: "mean" } }],
    [5, { accumulation: 4, first: 3 }],
  ] as [number, Run][])("is the same to the bit with %i parts ahead, %o", async (ahead, run) => {
    const set = make();
    const expected = await byHand(optionsOf(set, run));
    const options = { ...optionsOf(set, run), ahead };
    expect(await all(openInput(options), options)).toEqual(expected);
  });

  it("goes on from any step, however far was read ahead when it stopped", async () => {
    const set = make();
    const expected = await byHand(optionsOf(set));
    for (const stop of [1, 4, 8]) {
      const options = { ...optionsOf(set, { last: 9 }), ahead: 3 };
      await using input = openInput(options);
      for (let i = 0; i < 2 * stop; i++) (await input.next())[Symbol.dispose]();
      const rest = { ...optionsOf(set, { first: stop, state: options.batches.state() }), ahead: 3 };
      expect(await all(openInput(rest), rest)).toEqual(expected.slice(2 * stop));
    }
  });

  it("draws a step again from its position", async () => {
    const options = { ...optionsOf(make()), ahead: 2 };
    await using input = openInput(options);
    const given: InputBatch[] = [];
    for (let i = 0; i < 6; i++) {
      given.push(await input.next());
      given[i]![Symbol.dispose]();
    }
    expect([...options.batches.restore(given[2]!.position).next().value]).toEqual([...given[2]!.stepRows]);
  });

  it("leaves nothing behind, wherever it stops", async () => {
    const set = make();
    const before = settledTensorCount();
    for (const parts of [0, 1, 3]) {
      await using input = openInput({ ...optionsOf(set), ahead: 2 });
      for (let i = 0; i < parts; i++) (await input.next())[Symbol.dispose]();
    }
    expect(tensorCount()).toBe(before);
  });
});

describe("an input that reads ahead", () => {
  const open = (source: PartSource, ahead: number, run: Run = {}) => {
    const options = optionsOf(cached, run);
    return { options, input: readAheadInput(options, { source, meter: hostIdleMeter(), ahead }) };
  };

  it("begins as many parts as it may, and no step too many", async () => {
    const source = openSource(cached);
    const asked: string[] = [];
    const reads: Promise<unknown>[] = [];
    const { input } = open(
      {
        ...source,
        read(plan, slot, signal) {
          asked.push(`${asked.length}: ${slot}`);
          const reading = source.read(plan, slot, signal);
          reads.push(reading);
          return reading;
        },
      },
      2,
      { last: 3 },
    );
    await using _input = input;
    const first = await input.next();
    expect(asked).toEqual(["0: 0", "1: 1", "2: 2"]);
    await Promise.all(reads);
    await turns();
    expect(asked).toHaveLength(3);
    first[Symbol.dispose]();
    // Twice does nothing.
    first[Symbol.dispose]();
    // What is there comes first; drawing the next part has time while the device works.
    const second = await input.next();
    expect(asked).toHaveLength(3);
    await turns();
    expect(asked.slice(3)).toEqual(["3: 0"]);
    second[Symbol.dispose]();
    for (let i = 2; i < 6; i++) {
      (await input.next())[Symbol.dispose]();
      await turns();
    }
    expect(asked).toHaveLength(6);
  });

  it("says when all that it read is in use", async () => {
    const { input } = open(openSource(cached), 1);
    await using _input = input;
    const held = [await input.next(), await input.next()];
    await expect(input.next()).rejects.toThrow(/all parts that were read are in use; dispose of one/);
    await expect(input.next()).rejects.toThrow(InvDiffError);
    for (const one of held) one[Symbol.dispose]();
    expect((await input.next()).step).toBe(1);
  });

  it("tells an error at the part that cannot be read, and the batches stay before its step", async () => {
    const own = mkdtempSync(join(folder, "broken-"));
    const set = await cachedRows(own);
    const options = { ...optionsOf(set, { accumulation: 1 }), ahead: 4 };
    const plans = await byHand(optionsOf(set, { accumulation: 1 }));
    const { moments } = set.reading.tables;
    // The file that is first needed last.
    const filesOf = (rows: readonly number[]) =>
      set.reading
        .places({ rows: Int32Array.from(rows), captions: new Int32Array(rows.length) })
        .moments.map((place) => Math.floor(place / moments.placesPerFile));
    const firstUse = moments.files.map((_, file) =>
      plans.findIndex(({ rows }) => filesOf(rows).includes(file)),
    );
    const late = firstUse.indexOf(Math.max(...firstUse));
    const { path } = moments.files[late]!;
    expect(firstUse[late]).toBeGreaterThan(1);
    const hidden = `${path}.hidden`;
    renameSync(path, hidden);
    const before = settledTensorCount();
    {
      await using input = openInput(options);
      for (let i = 0; i < firstUse[late]!; i++) {
        using given = await input.next();
        expect(told(given, options.batches.state()).values).toEqual(plans[i]!.values);
      }
      const position = options.batches.state();
      const failed = await input.next().catch((error: unknown) => error);
      expect(failed).toMatchObject({ name: "UserError" });
      expect(String(failed)).toContain(`${path} of the cache cannot be read`);
      expect(options.batches.state()).toEqual(position);
      expect(plans[firstUse[late]!]!.position).toEqual(position);
    }
    expect(tensorCount()).toBe(before);
    set[Symbol.dispose]();
  });

  it("ends a waiting next with the signal's reason, and ends", async () => {
    const stop = new AbortController();
    const never: PartSource = {
      read: (_plan, _slot, signal) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("left")))),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    const before = settledTensorCount();
    const { input, options } = open(never, 2, { signal: stop.signal });
    const position = options.batches.state();
    const waiting = input.next();
    setImmediate(() => stop.abort(new Error("Ctrl-C")));
    await expect(waiting).rejects.toThrow("Ctrl-C");
    await expect(input.next()).rejects.toThrow("Ctrl-C");
    expect(options.batches.state()).toEqual(position);
    await input[Symbol.asyncDispose]();
    expect(tensorCount()).toBe(before);
  });

  it("ends its thread in the middle of a read", async () => {
    const before = settledTensorCount();
    let ended = false;
    const source = openSource(cached, {
      startReader(tables) {
        const reader = startRowReader(tables);
        return {
          read: (slot, places) => reader.read(slot, places),
          async [Symbol.asyncDispose]() {
            await reader[Symbol.asyncDispose]();
            ended = true;
          },
        };
      },
    });
    const { input } = open(source, 2);
    const waiting = expect(input.next()).rejects.toThrow(/has ended/);
    await input[Symbol.asyncDispose]();
    await waiting;
    expect(ended).toBe(true);
    expect(tensorCount()).toBe(before);
  });
});

describe("an input that reads in its turn", () => {
  it("begins nothing before it is asked", async () => {
    const set = pictureSet();
    let loads = 0;
    const counted = {
      ...set,
      load: (request: Parameters<TrainingSet["load"]>[0]) => (loads++, set.load(request)),
    };
    await using input = plainInput(optionsOf(counted));
    await turns();
    expect(loads).toBe(0);
    using _given = await input.next();
    expect(loads).toBe(1);
  });
});

/** Lets everything happen that waits for nothing but its turn. */
async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}
