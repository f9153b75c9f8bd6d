import { totalmem } from "node:os";

import { describe, expect, it } from "vitest";

import {
  copyAsync_,
  DeviceEvent,
  DeviceGraph,
  deviceProperties,
  emptyCache,
  emptyPinned,
  Generator,
  isChannelsLast,
  isHost,
  isPinned,
  manualSeed,
  memoryInfo,
  memoryStats,
  ones,
  pinned,
  randn,
  recordStream,
  resetPeakMemory,
  sameDevice,
  scope,
  Stream,
  supportsGraphs,
  synchronize,
  tensor,
  TorchError,
  withStream,
  zeros,
} from "./index.ts";

const missing = /device 'cuda(:0)?' was asked for.*use device 'cpu'/s;

describe("the processor as a device", () => {
  it("has a name, cores and the machine's memory", () => {
    const { name, capability, multiprocessors, totalBytes } = deviceProperties("cpu");
    expect(name.length).toBeGreaterThan(0);
    expect(capability).toBeUndefined();
    expect(multiprocessors).toBeGreaterThan(0);
    expect(totalBytes).toBe(totalmem());
    const memory = memoryInfo("cpu");
    expect(memory.freeBytes).toBeGreaterThan(0);
    expect(memory.freeBytes).toBeLessThanOrEqual(memory.totalBytes);
  });

  it("counts the process's memory, a new tensor's with it", () => {
    using large = ones([64, 1024, 1024], { dtype: "uint8" });
    const stats = memoryStats("cpu");
    expect(stats.allocatedBytes).toBeGreaterThan(large.numel);
    expect(stats.peakAllocatedBytes).toBeGreaterThanOrEqual(stats.allocatedBytes);
    expect(stats.reservedBytes).toBe(stats.allocatedBytes);
    expect(stats).toMatchObject({ retries: 0, outOfMemories: 0 });
  });

  it("has nothing to wait for, to empty or to reset", () => {
    for (const act of [synchronize, emptyCache, resetPeakMemory])
      for (const device of ["cpu", "cpu:0"]) expect(act(device)).toBeUndefined();
  });

  it("has streams that are never busy", () =>
    scope(() => {
      const stream = Stream.create("cpu", { priority: "high" });
      expect(stream.device).toBe("cpu");
      expect(Stream.current("cpu").query()).toBe(true);
      stream.synchronize();
      expect(withStream(stream, () => ones([2]).add(1).toNumbers())).toEqual([2, 2]);
      expect(() => withStream(stream, () => ones([2]).matmul(ones([3])))).toThrow(TorchError);
      recordStream(ones([2]), stream);
    }));

  it("has events on the host's clock", () => {
    using start = new DeviceEvent("cpu", { timing: true });
    using end = new DeviceEvent("cpu", { timing: true });
    expect(() => end.elapsedMs(start)).toThrow(/two recorded events/);
    start.record();
    const before = performance.now();
    while (performance.now() - before < 3);
    end.record().synchronize();
    expect(end.query()).toBe(true);
    end.wait();
    expect(end.elapsedMs(start)).toBeGreaterThanOrEqual(3);
    expect(end.elapsedMs(start)).toBeLessThanOrEqual(performance.now() - before + 3);
    using untimed = new DeviceEvent("cpu");
    expect(() => untimed.record().elapsedMs(start)).toThrow(/made with timing/);
  });

  it("refuses an event after its release", () => {
    const event = new DeviceEvent("cpu");
    event.dispose();
    event.dispose();
    expect(() => event.record()).toThrow(/an event was used after its release/);
  });

  it("pins nothing and copies at once", () =>
    scope(() => {
      const source = tensor([1, 2, 3]);
      const same = pinned(source, "cpu");
      expect(isPinned(same)).toBe(false);
      source.add_(1);
      expect(same.toNumbers()).toEqual([2, 3, 4]);
      const slot = emptyPinned([3], "float32", "cpu");
      expect(copyAsync_(slot, source)).toBe(slot);
      expect(slot.toNumbers()).toEqual([2, 3, 4]);
    }));

  it("has no graphs, and says so", () => {
    expect(supportsGraphs("cpu")).toBe(false);
    expect(() => new DeviceGraph("cpu")).toThrow(/graphs need an accelerator, got device 'cpu'/);
  });
});

describe("a device that is not there", () => {
  const questions: [string, () => unknown][] = [
    ["deviceProperties", () => deviceProperties("cuda")],
    ["memoryInfo", () => memoryInfo("cuda")],
    ["memoryStats", () => memoryStats("cuda:0")],
    ["resetPeakMemory", () => resetPeakMemory("cuda")],
    ["emptyCache", () => emptyCache("cuda")],
    ["synchronize", () => synchronize("cuda")],
    ["Stream.current", () => Stream.current("cuda")],
    ["Stream.create", () => Stream.create("cuda")],
    ["DeviceEvent", () => new DeviceEvent("cuda")],
    ["DeviceGraph", () => new DeviceGraph("cuda")],
    ["emptyPinned", () => emptyPinned([2], "float32", "cuda")],
    ["Generator", () => new Generator("cuda")],
    ["Generator.default", () => Generator.default("cuda")],
  ];

  it.each(questions)("%s says what was asked for and what to do", (_, ask) => {
    expect(ask).toThrow(TorchError);
    expect(ask).toThrow(missing);
  });

  it("also one that is no device at all", () => {
    expect(() => memoryInfo("gpu")).toThrow(TorchError);
    expect(() => memoryInfo("meta")).toThrow(/device 'meta' has no memory/);
    expect(() => new DeviceEvent("privateuseone")).toThrow(TorchError);
  });
});

describe("device names", () => {
  it.each([
    ["cuda", "cuda:0", true],
    ["cuda:0", "cuda", true],
    ["cuda:1", "cuda", false],
    ["cuda:10", "cuda:1", false],
    ["cpu", "cpu:0", true],
    ["cpu", "cuda", false],
  ])("%s and %s are one: %s", (one, other, same) => expect(sameDevice(one, other)).toBe(same));

  it("a tensor stays where it is under any of its device's names", () =>
    scope(() => {
      expect(isHost("cpu:0")).toBe(true);
      expect(isHost("cuda")).toBe(false);
      const here = zeros([2]);
      here.to("cpu:0").add_(1);
      expect(here.toNumbers()).toEqual([1, 1]);
      expect(tensor([1], { device: "cpu:0" }).device).toBe("cpu");
    }));
});

describe("isChannelsLast", () => {
  it("is true for what channels_last lays out, and only in four dimensions", () =>
    scope(() => {
      const plain = randn([2, 3, 4, 5]);
      const last = plain.contiguous({ memoryFormat: "channels_last" });
      expect([plain, last, plain.permute([0, 2, 3, 1])].map(isChannelsLast)).toEqual([false, true, false]);
      expect(last.toNumbers()).toEqual(plain.toNumbers());
      expect(isChannelsLast(ones([2, 3]))).toBe(false);
      // One channel or one pixel: both layouts at once.
      expect(isChannelsLast(ones([2, 1, 4, 4]))).toBe(true);
    }));
});

describe("the default generator", () => {
  it("is the one that operators without a generator draw from", () =>
    scope(() => {
      manualSeed(11);
      const state = Generator.default().getState();
      const drawn = randn([4]);
      Generator.default().setState(state);
      expect(randn([4]).equal(drawn)).toBe(true);
      expect(randn([4], { generator: new Generator().manualSeed(11) }).equal(drawn)).toBe(true);
    }));
});
