// How much memory a training will take, by part, from its settings alone.
import { freemem } from "node:os";
import type { UNetConfig } from "../../models/index.ts";
import { type Device, type DType, isHost, memoryInfo, memoryStats } from "../../torch/index.ts";
import { bytesText } from "../disk-full.ts";
import { addKept, type InputSize, type Kept, NOTHING, type Piece, unetPieces } from "./activations.ts";

export interface TrainingMemory extends InputSize {
  /** The network whose backward pass is run: the trained one, or the one that holds the adapters. */
  readonly unet: UNetConfig;
  readonly batchSize: number;
  /** What the network computes in; its weights are float32. */
  readonly precision: DType;
  /** Whether this is the memory of a CUDA device, without the program itself. */
  readonly onCuda?: boolean;
  /** Whether group normalisation and the activation behind it are one kernel there, which works in `precision`. */
  readonly fusedNorm?: boolean;
  readonly gradientCheckpointing?: boolean;
  /** Numbers of parameters. */
  readonly trained: number;
  /** Of frozen networks, an untouched base for example. */
  readonly frozen?: number;
  /** Of the layers that have low-rank adapters: their sum with the update is another tensor. */
  readonly adapted?: number;
  /** Autoencoder and text encoder, when images are encoded at every step. */
  readonly encoders?: number;
  readonly ema: boolean;
  /** Bytes of the batches that are read ahead, and of what stays there for them. */
  readonly inputBytes?: number;
  /** Of the latent and text cache, which is read through a map of its files. */
  readonly cacheBytes?: number;
}

export interface MemoryPart {
  readonly part: string;
  readonly bytes: number;
  /** Only a map of a file: the system takes it back when memory is short, so it is not in the total. */
  readonly isMapped?: boolean;
}

export interface MemoryEstimate {
  readonly parts: readonly MemoryPart[];
  /** Without the mapped parts. */
  readonly total: number;
}

const FLOAT32 = 4;
/** Resident memory of Node.js with libtorch's processor kernels before (220 MB) and after (50 MB) their first use. */
const PROGRAM_BYTES = 270e6;
/** native/memory.cc lets glibc's allocator hold on to no more freed memory. */
const MOST_HELD_BYTES = 1e9;

/**
 * Freed memory in the allocator after about a dozen steps, by what comes and goes in a step. Fitted to measurements; half
 * precision's blocks find their places again, float32's do not.
 */
function heldBytes(
  precision: DType,
  { activations, gradients, adapted }: Record<"activations" | "gradients" | "adapted", number>,
): number {
  const passing = isHalf(precision) ? 0 : 1.1 * activations + Math.min(4e8, 2.6 * gradients) + 1.3 * adapted;
  return Math.round(Math.min(MOST_HELD_BYTES, 60e6 + passing));
}

/**
 * Parts without bytes are left out. Measured beside the highest resident memory of 14 real steps on a processor, in 18 settings of
 * U-Nets with 0.8 to 137 million parameters, with and without adapters, checkpointing and bfloat16: 0.88 to 1.17 times the truth.
 * What activations keep is exact, what the allocator holds is not. Nothing was measured on CUDA.
 */
export function memoryEstimate(given: TrainingMemory): MemoryEstimate {
  const { trained, frozen = 0, adapted = 0, encoders = 0, ema, inputBytes = 0, cacheBytes = 0 } = given;
  const { batchSize, precision, onCuda = false } = given;
  const pieces = unetPieces(given.unet, given);
  const activations = activationBytes(pieces, given);
  const gradients = FLOAT32 * trained;
  // Checkpointing makes them anew in each segment.
  const kept = given.gradientCheckpointing === true ? 0 : adapted;
  const parts: MemoryPart[] = [
    { part: "trained weights", bytes: FLOAT32 * trained },
    { part: "frozen weights", bytes: FLOAT32 * frozen },
    { part: "autoencoder and text encoder", bytes: FLOAT32 * encoders },
    { part: "gradients", bytes: gradients },
    { part: "optimizer (two moments)", bytes: 2 * FLOAT32 * trained },
    { part: "averaged weights", bytes: ema ? FLOAT32 * trained : 0 },
    { part: "weights with adapters", bytes: FLOAT32 * kept },
    { part: `weights in ${precision}`, bytes: isHalf(precision) ? 2 * Math.max(kept, trained) : 0 },
    { part: "activations", bytes: activations },
    { part: "input read ahead", bytes: inputBytes },
    // The gradient of the largest activation, on the way back.
    {
      part: "working memory",
      bytes: FLOAT32 * batchSize * Math.max(...pieces.map(({ largest }) => largest)),
    },
    {
      part: "held by the allocator",
      bytes: onCuda ? 0 : heldBytes(precision, { activations, gradients, adapted: FLOAT32 * adapted }),
    },
    { part: "Node.js and libtorch", bytes: onCuda ? 0 : PROGRAM_BYTES },
    { part: "cached data (mapped)", bytes: cacheBytes, isMapped: true },
  ];
  const filled = parts.filter(({ bytes }) => bytes > 0);
  const total = filled.reduce((sum, { bytes, isMapped }) => sum + (isMapped ? 0 : bytes), 0);
  return { parts: filled, total };
}

const isHalf = (precision: DType): boolean => precision === "bfloat16" || precision === "float16";

/** Bytes that a stretch keeps for one image. */
function bytesOf(kept: Kept, { precision, onCuda = false, fusedNorm = false }: TrainingMemory): number {
  const matrixBytes = isHalf(precision) ? 2 : FLOAT32;
  // CUDA's autocast computes normalisations in float32; the processor's leaves them as they come.
  const normBytes = onCuda ? FLOAT32 : matrixBytes;
  const fused = fusedNorm ? kept.groupNorm : 0;
  const norm = kept.norm - fused - (fusedNorm ? kept.activated : 0);
  return matrixBytes * (kept.matrix + fused) + normBytes * norm + FLOAT32 * kept.statistics;
}

/** What the forward pass keeps; with checkpointing the results of all stretches and the inside of the largest segment. */
function activationBytes(pieces: readonly Piece[], given: TrainingMemory): number {
  const { batchSize, gradientCheckpointing = false } = given;
  if (!gradientCheckpointing)
    return batchSize * bytesOf(pieces.map(({ kept }) => kept).reduce(addKept), given);
  const inside = pieces.filter(({ isSegment }) => isSegment).map(({ kept }) => bytesOf(kept, given));
  const results = pieces.map(({ output }) => ({ ...NOTHING, matrix: output }));
  const ends = [pieces[0]!, pieces.at(-1)!].map(({ kept }) => kept);
  return batchSize * (Math.max(...inside) + bytesOf([...results, ...ends].reduce(addKept), given));
}

/** One line per part and the sum, the largest first. */
export function memoryText({ parts, total }: MemoryEstimate): string {
  const rows = [...parts].sort((a, b) => b.bytes - a.bytes);
  const lines = rows.map(({ part, bytes }) => `  ${part.padEnd(30)} ${bytesText(bytes).padStart(8)}`);
  return [`Memory, estimated: ${bytesText(total)}`, ...lines].join("\n");
}

/** Bytes that this process may still take: the machine's, or its container's where that is less. */
export function availableMemory(): number {
  const limit = process.constrainedMemory();
  const free = freemem();
  return limit > 0 ? Math.min(free, Math.max(0, limit - process.memoryUsage.rss())) : free;
}

export interface MemoryRoom {
  /** Bytes that may still be taken, and that the training's own things have taken already. */
  readonly available: number;
  readonly used: number;
}

/** On a card, what the driver would give and what the allocator holds for nobody; otherwise that of this process. */
export function memoryRoom(device: Device): MemoryRoom {
  if (isHost(device)) return { available: availableMemory(), used: process.memoryUsage.rss() };
  const { allocatedBytes, reservedBytes } = memoryStats(device);
  return { available: memoryInfo(device).freeBytes + reservedBytes - allocatedBytes, used: allocatedBytes };
}

/** Bytes by which the estimate exceeds what there is beside what is used already; 0 when it fits. */
export const memoryShortage = ({ total }: MemoryEstimate, { available, used }: MemoryRoom): number =>
  Math.max(0, total - used - available);
