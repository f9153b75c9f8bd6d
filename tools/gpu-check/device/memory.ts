// The caching allocator's counts, and running out of memory: told with numbers, and over once something is released.
import {
  empty,
  emptyCache,
  memoryInfo,
  memoryStats,
  OutOfMemoryError,
  resetPeakMemory,
  scope,
  synchronize,
  tensor,
  zeros,
} from "../../../src/torch/index.ts";
import type { Checks } from "../parity/checks.ts";
import { holds } from "./truth.ts";

const MEBIBYTE = 2 ** 20;

export function checkMemory(checks: Checks): void {
  const { device } = checks;
  const row = "memory: counts";
  emptyCache(device);
  resetPeakMemory(device);
  const before = memoryStats(device);
  scope(() => {
    zeros([64 * MEBIBYTE], { dtype: "uint8", device });
    const during = memoryStats(device);
    const grown = during.allocatedBytes - before.allocatedBytes;
    holds(checks, row, "a tensor of 64 MiB is counted", grown === 64 * MEBIBYTE);
    holds(checks, row, "what is allocated is reserved", during.reservedBytes >= during.allocatedBytes);
  });
  const after = memoryStats(device);
  holds(checks, row, "a released tensor is not", after.allocatedBytes === before.allocatedBytes);
  const peak = after.peakAllocatedBytes - before.allocatedBytes;
  holds(checks, row, "the peak stays", peak === 64 * MEBIBYTE);
  emptyCache(device);
  holds(checks, row, "an emptied cache holds less", memoryStats(device).reservedBytes < after.reservedBytes);
  const { freeBytes, totalBytes } = memoryInfo(device);
  holds(checks, row, "free memory is a part of all", freeBytes > 0 && freeBytes <= totalBytes);
}

export function checkOutOfMemory(checks: Checks): void {
  const { device, within } = checks;
  const row = "out of memory";
  const { totalBytes } = memoryInfo(device);
  const wanted = 2 * totalBytes;
  const error = refusal(() => scope(() => void empty([wanted], { dtype: "uint8", device })));
  holds(checks, row, "twice the memory is refused", error instanceof OutOfMemoryError);
  if (error instanceof OutOfMemoryError) {
    holds(checks, row, "it is the user's to change", error.kind === "user");
    // libtorch's words have two digits after the point.
    within(row, "what was asked for (relative)", Math.abs((error.requestedBytes ?? NaN) / wanted - 1), 1e-2);
    within(row, "what there is (relative)", Math.abs((error.totalBytes ?? NaN) / totalBytes - 1), 1e-2);
    holds(checks, row, "what was free is told", error.freeBytes !== undefined);
  }
  scope(() => {
    const half = empty([Math.floor(memoryInfo(device).freeBytes / 2)], { dtype: "uint8", device });
    holds(checks, row, "half of the free memory is given afterwards", half.numel > 0);
    const sum = tensor([1, 2, 3]).to(device).sum();
    synchronize(device);
    holds(checks, row, "and the device computes", sum.item() === 6);
  });
}

function refusal(work: () => void): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}
