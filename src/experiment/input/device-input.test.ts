// The input of a device: the numbers of the processor to the bit, no wait for the device between the steps (which the simulated
// device counts, as it refuses a stream that uses what another one may still be writing), and idle time by the device's clock.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CachedRows, cachedRows } from "../../../test/cached-rows.ts";
import { settledTensorCount } from "../../../test/settled.ts";
import { simulatedDevice } from "../../../test/simulated-device.ts";
import { type DiffusionBatch, shuffledBatches, type TrainingSet } from "../../data/index.ts";
import {
  copyAsync_,
  DeviceEvent,
  emptyPinned,
  keep,
  memoryStats,
  ones,
  scope,
  synchronize,
  type Tensor,
  tensorCount,
  zeros,
} from "../../torch/index.ts";
import { deviceIdleMeter } from "./device-idle-meter.ts";
import { inputBytes, type InputMemoryOptions, type InputOptions, openInput } from "./index.ts";
import type { SourceOptions } from "./part-source.ts";
import { openSlots } from "./slot.ts";

const simulated = simulatedDevice();
const { device } = simulated;

let folder: string;
let onHost: CachedRows;
let onDevice: CachedRows;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "device-input-"));
  onHost = await cachedRows(folder);
  onDevice = await cachedRows(folder, { device });
});
afterAll(() => {
  for (const set of [onHost, onDevice]) set[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

/** The set as one of pictures that are decoded on the host: uint8 rows that name the images. */
function pictures(set: CachedRows): TrainingSet {
  const encode = (rows: Tensor): Tensor => keep(scope(() => rows.to("float32").div(4).to(set.device)));
  const states = (captions: Int32Array): Tensor => set.reading.states(captions);
  const decode = async ({ rows }: { readonly rows: Int32Array }): Promise<Tensor> =>
    keep(
      scope(() => {
        const levels = Uint8Array.from(
          { length: rows.length * 128 },
          (_, i) => (rows[i >> 7]! * 31 + i * 7) % 256,
        );
        return zeros([rows.length, 8, 4, 4], { dtype: "uint8" }).add(
          bytes(levels).view([rows.length, 8, 4, 4]),
        );
      }),
    );
  return {
    ...set,
    async load(request) {
      using decoded = await decode(request);
      return { moments: encode(decoded), encoderHiddenStates: states(request.captions) };
    },
    reading: { kind: "pictures", stateShape: [3, 8], decode, encode, states },
    [Symbol.dispose]: () => undefined,
  };
}

const bytes = (values: Uint8Array): Tensor => {
  const made = zeros([values.length], { dtype: "uint8" });
  made.withBytes((own) => own.set(values));
  return made;
};

/** The set without its parts: it only loads. */
const whole = (set: CachedRows): TrainingSet => ({ ...set, reading: undefined });

const PARTS = 12;
const DRAW = { trainTimesteps: 1000, captionDropout: 0.2, flip: true, inputPerturbation: 0.1 };
const optionsOf = (set: TrainingSet, ahead?: number): InputOptions => ({
  ...{ set, batches: shuffledBatches(20, 6, 7), draw: DRAW, seed: 11 },
  ...{ accumulation: 2, first: 0, last: PARTS / 2, ahead },
});

/** The tensors of every part, by a step that takes copies in the current stream and is read after the whole run. */
async function all(options: InputOptions, source?: SourceOptions): Promise<unknown[]> {
  const parts: Record<string, Tensor>[] = [];
  {
    await using input = openInput(options, source);
    for (let i = 0; i < PARTS; i++) {
      using given = await input.next();
      const named = Object.entries(given.batch as DiffusionBatch & Record<string, Tensor | undefined>);
      parts.push(
        Object.fromEntries(named.flatMap(([name, value]) => (value ? [[name, value.clone()]] : []))),
      );
    }
  }
  return parts.map((part) =>
    Object.entries(part).map(([name, value]) => {
      using own = value;
      return [name, own.dtype, own.shape, own.toNumbers()];
    }),
  );
}

const kinds: [string, (set: CachedRows) => TrainingSet, SourceOptions][] = [
  ["a cache with all captions on the device", (set) => set, {}],
  ["a cache whose captions are too many for the device", (set) => set, { residentBytes: 500 }],
  ["pictures", pictures, {}],
  ["pictures, the captions encoded at every step", pictures, { residentBytes: 500 }],
  ["any set", whole, {}],
];

describe.each(kinds)("input from %s", (_, of, source) => {
  it.each([0, 1, 2, 4])("gives the processor's numbers with %i parts ahead", async (ahead) => {
    const expected = await all(optionsOf(of(onHost)));
    expect(expected).toHaveLength(PARTS);
    expect(await all(optionsOf(of(onDevice), ahead), source)).toEqual(expected);
  });

  it("leaves no memory behind, on the device and here", async () => {
    const used = () => (synchronize(device), memoryStats(device).allocatedBytes);
    const [tensors, before] = [settledTensorCount(), used()];
    for (const parts of [0, 1, 5]) {
      await using input = openInput(optionsOf(of(onDevice)), source);
      for (let i = 0; i < parts; i++) (await input.next())[Symbol.dispose]();
    }
    expect([tensorCount(), used()]).toEqual([tensors, before]);
  });
});

/** Something for the device to do: so many kernels, the first one with the batch. */
function work(batch: DiffusionBatch | undefined, kernels: number): void {
  if (kernels === 0) return;
  scope(() => {
    const total = batch ? batch.latents.sum() : ones([1], { device });
    for (let i = 1; i < kernels; i++) total.add_(1);
  });
}

describe("a slot", () => {
  it("takes no new values before the device has fetched the old ones", () => {
    const [slot] = openSlots(device, 1);
    using _slot = slot;
    const outs = [3, 5, 7].map((value) => {
      slot!.fill({ x: { bytes: Uint8Array.of(value, value + 1), shape: [2], dtype: "uint8" } });
      const out = emptyPinned([2], "uint8", device);
      // Put off like the transfer itself, as on a card that is behind.
      copyAsync_(out, slot!.arrive().get("x")!);
      slot!.release();
      return out;
    });
    synchronize(device);
    expect(outs.map((out) => out.toNumbers())).toEqual([
      [3, 4],
      [5, 6],
      [7, 8],
    ]);
    for (const out of outs) out.dispose();
  });

  it("makes room for other shapes", () => {
    const [slot] = openSlots(device, 1);
    using _slot = slot;
    for (const size of [2, 5, 3]) {
      slot!.fill({ x: { bytes: new Uint8Array(size).fill(size), shape: [size], dtype: "uint8" } });
      const there = slot!.arrive().get("x")!;
      expect(there.toNumbers()).toEqual(Array.from({ length: size }, () => size));
      slot!.release();
    }
  });
});

describe("a step", () => {
  it.each([
    ["a cache", {}],
    ["a cache without room for captions", { residentBytes: 500 }],
  ] as [string, SourceOptions][])("never waits for the device with input from %s", async (_, source) => {
    await using input = openInput(optionsOf(onDevice), source);
    for (let i = 0; i < PARTS; i++) {
      using given = await input.next();
      work(given.batch, 20);
      // The first parts make the captions' table and the slots.
      if (i === 3) simulated.resetWaits();
    }
    expect(simulated.waitLines()).toEqual([]);
    expect(simulated.waits()).toBe(0);
  });

  it("takes the same memory of the device each time", async () => {
    await using input = openInput(optionsOf(onDevice), { residentBytes: 500 });
    const used: number[] = [];
    for (let i = 0; i < PARTS; i++) {
      using given = await input.next();
      work(given.batch, 3);
      used.push(memoryStats(device).allocatedBytes);
    }
    expect(new Set(used.slice(3)).size).toBe(1);
  });
});

describe("inputBytes", () => {
  // The allocator gives memory in blocks.
  const BLOCK = 512;
  it.each([
    [2, {}],
    [3, { residentBytes: 500 }],
    [1, { draw: { trainTimesteps: 1000, posterior: "mean" } }],
  ] as [number, Partial<InputMemoryOptions>][])(
    "is what an input takes with %i ahead, %o",
    async (ahead, change) => {
      const { draw = DRAW, residentBytes } = change;
      const before = memoryStats(device).allocatedBytes;
      await using input = openInput({ ...optionsOf(onDevice, ahead), draw }, { residentBytes });
      for (let i = 0; i < PARTS; i++) (await input.next())[Symbol.dispose]();
      synchronize(device);
      const taken = memoryStats(device).allocatedBytes - before;
      const expected = inputBytes(onDevice, { batchSize: 3, draw, ahead, residentBytes });
      // moments, posterior, noise, inputNoise, timesteps, states or captions
      expect(taken).toBeGreaterThanOrEqual(expected);
      expect(taken).toBeLessThan(expected + BLOCK * (1 + 6 * (ahead + 1)));
    },
  );

  it("is nothing on the processor", () => {
    expect(inputBytes(onHost, { batchSize: 3, draw: DRAW })).toBe(0);
  });
});

describe("the idle share of a device", () => {
  // A kernel takes the simulated device a millisecond.
  const event = () => new DeviceEvent(device, { timing: true }).record();

  it("is what passed between a part's end and a later arrival", () => {
    using meter = deviceIdleMeter(device);
    const part = (late: number, kernels: number): void => {
      meter.waits();
      work(undefined, late);
      meter.arrives(event());
      work(undefined, kernels);
      meter.ends();
    };
    expect(meter.share()).toBeUndefined();
    part(7, 5);
    part(4, 6);
    synchronize(device);
    expect(meter.share()).toBeCloseTo(4 / 10, 10);
    part(0, 10);
    part(10, 10);
    synchronize(device);
    expect(meter.share()).toBeCloseTo(14 / 40, 10);
    // Other work between two steps belongs to neither.
    meter.pauses();
    work(undefined, 1000);
    part(3, 3);
    part(2, 8);
    synchronize(device);
    expect(meter.share()).toBeCloseTo(16 / 50, 10);
    expect(meter.totalShare()).toBeCloseTo(16 / 50, 10);
  });

  it("is nothing when a part arrived before it was needed", () => {
    using meter = deviceIdleMeter(device);
    meter.arrives(event());
    const early = event();
    work(undefined, 5);
    meter.ends();
    meter.arrives(early);
    work(undefined, 5);
    meter.ends();
    synchronize(device);
    expect(meter.share()).toBe(0);
  });

  it("is told of a training whose parts are read ahead", async () => {
    await using input = openInput(optionsOf(onDevice));
    expect(input.idleShare).toBeUndefined();
    for (let i = 0; i < PARTS; i++) {
      using given = await input.next();
      work(given.batch, 50);
      await new Promise((resolve) => setImmediate(resolve));
    }
    synchronize(device);
    // Some parts may be late on a busy machine: never more than all of the time.
    expect(input.idleShare).toBeGreaterThanOrEqual(0);
    expect(input.totalIdleShare).toBeLessThan(1);
  });
});
