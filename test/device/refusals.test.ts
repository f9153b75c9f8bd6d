// What the simulated device refuses and counts: what CUDA refuses, and what makes a program wait for a card.
import { afterEach, describe, expect, it } from "vitest";
import {
  conv2d,
  copyAsync_,
  DeviceEvent,
  emptyCache,
  emptyPinned,
  full,
  Generator,
  isPinned,
  keep,
  memoryInfo,
  memoryStats,
  OutOfMemoryError,
  pinned,
  randn,
  recordStream,
  resetPeakMemory,
  scope,
  Stream,
  synchronize,
  tensor,
  type Tensor,
  tensorCount,
  TorchError,
  where,
  withStream,
  zeros,
} from "../../src/torch/index.ts";
import { simulatedDevice } from "../simulated-device.ts";

const simulated = simulatedDevice();
const { device } = simulated;

const there = (...values: number[]): Tensor => tensor(values).to(device);
const integers = (...values: number[]): Tensor => tensor(values, { dtype: "int64" });

/** The waits of a piece of work, as "kind operator count". */
function waitsOf(work: () => unknown): string[] {
  simulated.resetWaits();
  scope(() => void work());
  return simulated.waitLines();
}

describe("the simulated device refuses", () => {
  it("tensors of two devices in one operator", () => {
    scope(() => {
      const [here, far] = [tensor([1, 2]), there(1, 2)];
      const mixed = /same device.*privateuseone:0 and cpu/s;
      expect(() => far.add(here)).toThrow(mixed);
      expect(() => here.add(far)).toThrow(mixed);
      expect(() => here.add_(far)).toThrow(mixed);
      expect(() => far.view([1, 2]).matmul(here.view([2, 1]))).toThrow(mixed);
      expect(() => conv2d(randn([1, 1, 3, 3]).to(device), randn([1, 1, 1, 1]))).toThrow(mixed);
      expect(() => far.indexSelect(0, integers(0))).toThrow(mixed);
      expect(() => here.index([integers(1).to(device)])).toThrow(mixed);
    });
  });

  it("numbers of the processor where a card takes none, and takes them where a card does", () => {
    scope(() => {
      const number = full([], 2);
      expect(there(1, 2).mul(number).add(1).toNumbers()).toEqual([3, 5]);
      expect(where(there(1, -1).gt(0), number, 0).toNumbers()).toEqual([2, 0]);
      expect(() => there(1, 2).addcmul(there(1, 1), number)).toThrow(TorchError);
    });
  });

  it("a generator of another device", () => {
    expect(() => randn([2], { device, generator: new Generator() })).toThrow(/device type for generator/);
    expect(() => randn([2], { generator: new Generator(device) })).toThrow(TorchError);
  });

  it("raw access to its memory", () => {
    using far = there(1);
    expect(() => far.withBytes(() => 0)).toThrow(/CPU tensor/);
  });
});

describe("the simulated device counts waits", () => {
  it("for values that the program reads", () => {
    expect(waitsOf(() => there(1, 2).sum().item())).toEqual([
      "read aten::_local_scalar_dense 1",
      "write aten::copy_ 1",
    ]);
    using far = there(3, 0);
    const reads = (work: () => unknown) => waitsOf(work).filter((line) => line.startsWith("read"));
    expect(reads(() => far.toArray())).toEqual(["read aten::copy_ 1"]);
    expect(reads(() => far.nonzero())).toEqual(["read aten::nonzero 1"]);
    expect(reads(() => far.index([far.gt(1)]))).toEqual(["read aten::index 1"]);
    expect(reads(() => far.equal(far))).toEqual(["read aten::equal 1"]);
    expect(reads(() => far.add(1).matmul(far).mean())).toEqual([]);
  });

  it("for what is sent from ordinary memory, not from pinned memory", () => {
    using far = zeros([2], { device });
    using plain = tensor([1, 2]);
    using locked = pinned(plain, device);
    expect([isPinned(plain), isPinned(locked)]).toEqual([false, true]);
    expect(waitsOf(() => far.copy_(plain))).toEqual(["write aten::copy_ 1"]);
    expect(waitsOf(() => copyAsync_(far, plain))).toEqual(["staged aten::copy_ 1"]);
    expect(waitsOf(() => copyAsync_(far, locked))).toEqual([]);
    expect(waitsOf(() => far.index([integers(1)]))).toEqual(["write aten::index 1"]);
    expect(waitsOf(() => synchronize(device))).toEqual(["synchronize device 1"]);
  });

  it("for an event with nothing behind it, not for one that work follows", () => {
    using far = there(1, 2);
    using event = new DeviceEvent(device);
    const after = (work: () => unknown) =>
      waitsOf(() => {
        event.record();
        work();
        event.synchronize();
      });
    expect(after(() => 0)).toEqual(["event synchronize 1"]);
    expect(after(() => far.add(1))).toEqual([]);
  });
});

describe("streams of the simulated device", () => {
  it("are late with copies until somebody waits, and a query says so", () => {
    using source = pinned(tensor([1, 2]), device);
    using target = emptyPinned([2], "float32", device).fill_(0);
    using far = zeros([2], { device });
    using event = new DeviceEvent(device);
    copyAsync_(far, source);
    source.fill_(5); // too early: the copy has not read it yet
    event.record();
    expect(event.query()).toBe(false);
    expect(event.query()).toBe(true);
    expect(far.toNumbers()).toEqual([5, 5]);
    copyAsync_(target, far);
    expect(target.toNumbers()).toEqual([0, 0]);
    event.record().synchronize();
    expect(target.toNumbers()).toEqual([5, 5]);
  });

  it("do not see each other's work without an event", () => {
    scope(() => {
      const stream = Stream.create(device);
      const source = pinned(tensor([1, 2]), device);
      const far = zeros([2], { device });
      const ready = new DeviceEvent(device);
      expect(() => withStream(stream, () => copyAsync_(far, source))).toThrow(/may still use/);
      stream.wait(new DeviceEvent(device).record());
      withStream(stream, () => copyAsync_(far, source));
      ready.record(stream);
      expect(() => far.add(1)).toThrow(/without waiting for it/);
      ready.wait();
      expect(far.add(1).toNumbers()).toEqual([2, 3]);
    });
  });

  it("notice memory that is freed while another stream uses it", () => {
    scope(() => {
      const stream = Stream.create(device);
      const use = (record: boolean): void => {
        using far = zeros([2], { device });
        stream.wait(new DeviceEvent(device).record());
        withStream(stream, () => far.add(1).dispose());
        if (record) recordStream(far, stream);
      };
      use(true);
      there(1);
      use(false);
      expect(() => there(1).add(1)).toThrow(/recordStream is missing/);
    });
  });

  it("have a clock", () => {
    using first = new DeviceEvent(device, { timing: true });
    using last = new DeviceEvent(device, { timing: true });
    first.record();
    scope(() => void there(1).add(1).add(1));
    last.record().synchronize();
    expect(last.elapsedMs(first)).toBeGreaterThanOrEqual(2);
  });
});

describe("memory of the simulated device", () => {
  const limit = simulated.memoryLimit();
  afterEach(() => simulated.setMemoryLimit(limit));

  it("is counted by the block, with peaks and a cache", () => {
    emptyCache(device);
    const before = memoryStats(device);
    resetPeakMemory(device);
    scope(() => void zeros([1000], { device }));
    const after = memoryStats(device);
    expect(after.allocatedBytes).toBe(before.allocatedBytes);
    expect(after.peakAllocatedBytes - before.allocatedBytes).toBe(4096);
    expect(after.reservedBytes).toBeGreaterThan(before.reservedBytes);
    emptyCache(device);
    expect(memoryStats(device).reservedBytes).toBe(before.reservedBytes);
    expect(memoryInfo(device).totalBytes).toBe(limit);
  });

  it("ends with an OutOfMemoryError that says what was asked and what was free", () => {
    simulated.setMemoryLimit(4 << 20);
    using small = zeros([1 << 18], { device });
    let error: unknown;
    try {
      zeros([1 << 20], { device });
    } catch (caught) {
      error = caught;
    }
    expect(small.device).toBe(device);
    expect(error).toBeInstanceOf(OutOfMemoryError);
    expect(error).toMatchObject({ requestedBytes: 4 << 20, totalBytes: 4 << 20 });
    expect((error as OutOfMemoryError).freeBytes).toBeLessThan(3.1 * 2 ** 20);
  });

  it("is unreadable before it is written", () => {
    scope(() => expect(zeros([2], { device }).emptyLike().isnan().all().item()).toBe(1));
  });

  it("is freed with its tensors", () => {
    const [tensors, bytes] = [tensorCount(), memoryStats(device).allocatedBytes];
    const kept = scope(() => keep(there(1, 2).requiresGrad_().mul(3).sum()));
    kept.dispose();
    expect([tensorCount(), memoryStats(device).allocatedBytes]).toEqual([tensors, bytes]);
  });
});
