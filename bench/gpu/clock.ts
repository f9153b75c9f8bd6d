// Clocks and memory of the device, the same way as tools/bench/gpu/timing.py.
import {
  DeviceEvent,
  emptyCache,
  memoryStats,
  resetPeakMemory,
  sameDevice,
  scope,
  synchronize,
} from "../../src/torch/index.ts";
import type { Measured } from "./protocol.ts";

export const isCard = (device: string): boolean => !sameDevice(device, "cpu");

/** Milliseconds a call, of each of `blocks` rows of `steps` calls that only the row's end waits for. */
export function timeBlocks(
  call: () => void,
  device: string,
  { warmup, blocks, steps }: { warmup: number; blocks: number; steps: number },
): number[] {
  for (let i = 0; i < warmup; i++) call();
  return Array.from({ length: blocks }, () => {
    synchronize(device);
    const start = performance.now();
    for (let i = 0; i < steps; i++) call();
    synchronize(device);
    return (performance.now() - start) / steps;
  });
}

/** Milliseconds of single calls, on a card by its own events; what they make is released. */
export function timeKernels(
  kernel: () => void,
  device: string,
  { warmup, calls }: { warmup: number; calls: number },
): number[] {
  const call = () => scope(kernel);
  if (!isCard(device)) return timeBlocks(call, device, { warmup, blocks: calls, steps: 1 });
  for (let i = 0; i < warmup; i++) call();
  using begin = new DeviceEvent(device, { timing: true });
  using end = new DeviceEvent(device, { timing: true });
  return Array.from({ length: calls }, () => {
    begin.record();
    call();
    end.record().synchronize();
    return end.elapsedMs(begin);
  });
}

/** Gives back what the case before left, and counts anew. */
export function resetMemory(device: string): void {
  if (!isCard(device)) return;
  synchronize(device);
  emptyCache(device);
  resetPeakMemory(device);
}

/** Peaks in bytes; nothing on the processor, where a process has no such count for a case alone. */
export function memoryOf(device: string): Pick<Measured, "peakBytes" | "reservedBytes"> {
  if (!isCard(device)) return {};
  const { peakAllocatedBytes: peakBytes, peakReservedBytes: reservedBytes } = memoryStats(device);
  return { peakBytes, reservedBytes };
}
