// What a training is going to do and need, in lines to be shown.
import { bytesText } from "../disk-full.ts";
import { type MemoryEstimate, memoryText } from "./memory.ts";
import type { ParameterCounts } from "./parameters.ts";

export interface PreflightFacts {
  /** Counts of each network that takes part, by name. */
  readonly networks: Readonly<Record<string, ParameterCounts>>;
  readonly memory: MemoryEstimate;
  readonly steps: number;
  readonly batchSize: number;
  readonly accumulation: number;
  /** Images to train on. */
  readonly images: number;
  /** 0 or undefined: no cache. */
  readonly cacheBytes?: number | undefined;
  /** Checkpoints on disk at once. */
  readonly keep: number;
  readonly checkpointBytes: number;
  /** Undefined where unknown. */
  readonly freeDiskBytes?: number | undefined;
}

/** Bytes of one checkpoint: weights, two moments, averages if there are any; all float32. */
export const checkpointBytes = (trained: number, { ema }: { readonly ema: boolean }): number =>
  4 * trained * (ema ? 4 : 3);

/** "34.3 M". */
export function countText(count: number): string {
  const [size, unit] = count >= 1e9 ? [1e9, " G"] : count >= 1e6 ? [1e6, " M"] : [1e3, " k"];
  return count < 1000 ? String(count) : `${(count / size).toFixed(count / size < 100 ? 1 : 0)}${unit}`;
}

/** Lines on parameters, work, memory and disk. */
export function preflightText(facts: PreflightFacts): string {
  const { steps, batchSize, accumulation, images, keep, cacheBytes = 0, freeDiskBytes: free } = facts;
  const perStep = batchSize * accumulation;
  const epochs = (steps * perStep) / images;
  const checkpoints = (keep + 1) * facts.checkpointBytes;
  const disk = [
    ...(cacheBytes > 0 ? [`cache ${bytesText(cacheBytes)}`] : []),
    `checkpoints ${keep} x ${bytesText(facts.checkpointBytes)}`,
    ...(free === undefined ? [] : [`${bytesText(free)} free`]),
  ];
  return [
    ...Object.entries(facts.networks).map(([name, counts]) => networkLine(name, counts)),
    `Work: ${steps} steps of ${accumulation > 1 ? `${accumulation} x ` : ""}${batchSize} images, ` +
      `${epochs < 10 ? epochs.toPrecision(2) : Math.round(epochs)} times through ${images} images`,
    memoryText(facts.memory),
    `Disk: ${disk.join(", ")}`,
    ...(free !== undefined && checkpoints > free
      ? [
          // One more than are kept: an old one goes only when the new one is complete.
          `The disk may get full: ${keep + 1} checkpoints at once take ${bytesText(checkpoints)}. Free some space or keep fewer.`,
        ]
      : []),
  ].join("\n");
}

function networkLine(name: string, { total, trainable, parts }: ParameterCounts): string {
  const share =
    trainable === total
      ? "all trained"
      : trainable === 0
        ? "all frozen"
        : `${countText(trainable)} trained, ${countText(total - trainable)} frozen`;
  const listed =
    parts.length > 1 ? `: ${parts.map((p) => `${p.part} ${countText(p.total)}`).join(", ")}` : "";
  return `Parameters of ${name}: ${countText(total)}, ${share}${listed}`;
}
