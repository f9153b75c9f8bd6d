// A device beside its tensors: what it is, what its memory holds, and waiting for it. On the processor the same
// questions are answered by the machine, so that callers need no case for it.
import { cpus, freemem, totalmem } from "node:os";
import { addon } from "./addon.ts";
import { isHost } from "./device.ts";
import type { Device } from "./dtype.ts";

export interface DeviceProperties {
  readonly name: string;
  /** CUDA's compute capability: [9, 0] for an H100; undefined where there is no such thing. */
  readonly capability: readonly [major: number, minor: number] | undefined;
  /** Multiprocessors of a card, cores of the processor. */
  readonly multiprocessors: number;
  readonly totalBytes: number;
}

export interface MemoryInfo {
  /** What the driver would still give; what the allocator holds in its cache is not in it. */
  readonly freeBytes: number;
  readonly totalBytes: number;
}

export interface MemoryStats {
  /** In tensors. */
  readonly allocatedBytes: number;
  /** The most since the start or `resetPeakMemory`. */
  readonly peakAllocatedBytes: number;
  /** Held by the caching allocator, in tensors or not. */
  readonly reservedBytes: number;
  readonly peakReservedBytes: number;
  /** How often the allocator had to empty its cache to find room: each time the device stood still. */
  readonly retries: number;
  readonly outOfMemories: number;
}

// A container's limit counts where there is one.
function hostMemory(): MemoryInfo {
  const limit = process.constrainedMemory();
  const totalBytes = limit > 0 && limit < totalmem() ? limit : totalmem();
  return { freeBytes: Math.min(freemem(), totalBytes), totalBytes };
}

/** Name, capability and size of a device. Throws `TorchError` for one that is not there. */
export function deviceProperties(device: Device): DeviceProperties {
  if (!isHost(device)) {
    const { name, major, minor, multiprocessors, totalBytes } = addon.deviceProperties(device);
    const capability = major > 0 ? ([major, minor] as const) : undefined;
    return { name, capability, multiprocessors, totalBytes };
  }
  const cores = cpus();
  const name = cores[0]?.model ?? "processor";
  return { name, capability: undefined, multiprocessors: cores.length, ...{ totalBytes: totalmem() } };
}

/** Free and total memory of a device in bytes; on the processor the machine's. */
export const memoryInfo = (device: Device): MemoryInfo =>
  isHost(device) ? hostMemory() : addon.memoryInfo(device);

/** The caching allocator's counts in bytes; on the processor the memory of this process, whole. */
export function memoryStats(device: Device): MemoryStats {
  if (!isHost(device)) return addon.memoryStats(device);
  const resident = process.memoryUsage.rss();
  const peak = Math.max(resident, process.resourceUsage().maxRSS * 1024);
  return {
    ...{ allocatedBytes: resident, peakAllocatedBytes: peak },
    ...{ reservedBytes: resident, peakReservedBytes: peak, retries: 0, outOfMemories: 0 },
  };
}

/** Starts the peaks of `memoryStats` anew; nothing on the processor. */
export function resetPeakMemory(device: Device): void {
  if (!isHost(device)) addon.resetPeakMemory(device);
}

/** Gives memory that no tensor uses back to the driver; nothing on the processor. */
export function emptyCache(device: Device): void {
  if (!isHost(device)) addon.emptyCache(device);
}

/** Waits until the device has done all that it was given; nothing on the processor. */
export function synchronize(device: Device): void {
  if (!isHost(device)) addon.synchronizeDevice(device);
}
