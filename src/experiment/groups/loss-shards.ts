// The losses that groups are inferred from, on disk: a folder with one safetensors file for so many thousand images, and
// index.json, which says whose rows they are. A file appears whole, and bears a hash over its numbers and all that they
// depend on: work that was cut off goes on after the last whole file, and damaged or foreign ones are measured again.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { z } from "zod";

import {
  readJson,
  readSafetensors,
  readSafetensorsHeader,
  writeSafetensors,
} from "../../checkpoint/index.ts";
import { measureSignal, type Signal, signalColumns, type SignalName } from "../../method/index.ts";
import type { SignalOptions } from "../../method/index.ts";
import type { TrainingSet } from "../../data/index.ts";
import { CheckpointError, DataError, tensor, writeFileAtomic } from "../../torch/index.ts";
import { canonicalJson } from "../hash.ts";
import { listed } from "./listed.ts";

const LOSSES = "losses";
const INDEX = "index.json";
const SHARD = /^losses-\d{5,}\.safetensors$/;

const indexSchema = z.object({
  signal: z.enum(["profile", "single", "reference"]),
  seed: z.int(),
  batchSize: z.int().min(1),
  /** What the losses depend on besides: the base model's fingerprint. */
  key: z.string(),
  columns: z
    .array(
      z.object({ timestep: z.union([z.int(), z.literal("random")]), noise: z.int(), contrast: z.boolean() }),
    )
    .min(1),
  shards: z.array(z.object({ file: z.string().regex(SHARD), ids: z.array(z.string()).min(1) })),
});

/** index.json: the ids of each file's rows, in order, and what was measured. */
export type LossIndex = z.output<typeof indexSchema>;
type LossShard = LossIndex["shards"][number];

export interface StoredLosses extends Signal {
  readonly signal: SignalName;
  readonly seed: number;
  /** Item id of each row. */
  readonly ids: readonly string[];
}

export interface MeasureOptions extends Omit<SignalOptions, "rows" | "onBatch"> {
  readonly signal: SignalName;
  /** Fingerprint of what the losses depend on besides these options and the ids: the base, the pictures. */
  readonly key: string;
  /** Images in a file, rounded up to whole batches. */
  readonly shardSize: number;
  readonly abort?: AbortSignal | undefined;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface MeasuredLosses extends StoredLosses {
  /** Images measured now, and in which time; the others were in the folder already. */
  readonly work: { readonly images: number; readonly seconds: number };
}

/**
 * Measures every image whose losses the folder lacks; the numbers do not depend on where earlier work ended.
 * Errors: the abort signal's reason; DataError naming the images whose loss is not a number; those of the set.
 */
export async function measureLosses(
  dir: string,
  parts: Parameters<typeof measureSignal>[1],
  set: TrainingSet,
  options: MeasureOptions,
): Promise<MeasuredLosses> {
  const { signal, seed, batchSize, key, shardSize, abort, onProgress } = options;
  const columns = signalColumns(signal, options);
  const shards = planShards(set.ids, Math.ceil(shardSize / batchSize) * batchSize);
  const index: LossIndex = { signal, seed, batchSize, key, columns, shards };
  prepareFolder(dir, index);
  const total = set.ids.length;
  const losses = new Float32Array(total * columns.length);
  const work = { images: 0, seconds: 0 };
  let first = 0;
  for (const shard of shards) {
    const last = first + shard.ids.length;
    const own = { first, last };
    let values = readShard(dir, index, shard);
    if (!values) {
      const start = performance.now();
      const onBatch = async (done: number): Promise<void> => {
        onProgress?.(own.first + done, total);
        await nextTurn();
        abort?.throwIfAborted();
      };
      values = (await measureSignal(signal, parts, set, { ...options, rows: own, onBatch })).losses;
      checkFinite(values, shard.ids);
      writeShard(dir, index, shard, values);
      work.images += shard.ids.length;
      work.seconds += (performance.now() - start) / 1000;
    } else onProgress?.(last, total);
    losses.set(values, first * columns.length);
    first = last;
  }
  return { losses, columns, signal, seed, ids: set.ids, work };
}

/** All losses of a folder that `measureLosses` has completed. Errors: CheckpointError naming what is missing or damaged. */
export function readLosses(dir: string): StoredLosses {
  const path = join(dir, INDEX);
  const parsed = indexSchema.safeParse(readJson(path));
  if (!parsed.success) {
    const { path: where, message } = parsed.error.issues[0]!;
    throw new CheckpointError(
      `${path} is no index of losses (${where.join(".")}: ${message}); expected signal, seed, columns and shards. Make the stage anew (--force).`,
    );
  }
  const { signal, seed, columns, shards } = parsed.data;
  const ids = shards.flatMap((shard) => shard.ids);
  const losses = new Float32Array(ids.length * columns.length);
  let at = 0;
  for (const shard of shards) {
    const values = readShard(dir, parsed.data, shard);
    if (!values)
      throw new CheckpointError(
        `${join(dir, shard.file)} is missing, damaged or of another measurement; expected ${shard.ids.length} rows of ${columns.length} losses as ${INDEX} says. Make the stage anew (--force).`,
      );
    losses.set(values, at);
    at += values.length;
  }
  return { losses, columns, signal, seed, ids };
}

function planShards(ids: readonly string[], size: number): LossShard[] {
  return Array.from({ length: Math.ceil(ids.length / size) }, (_, i) => ({
    file: `losses-${String(i).padStart(5, "0")}.safetensors`,
    ids: ids.slice(i * size, (i + 1) * size),
  }));
}

/** Says what the folder is to hold, and removes what does not belong to it, such as the rest of a killed process. */
function prepareFolder(dir: string, index: LossIndex): void {
  mkdirSync(dir, { recursive: true });
  const files = new Set(index.shards.map(({ file }) => file));
  for (const name of readdirSync(dir)) if (!files.has(name)) rmSync(join(dir, name), { force: true });
  writeFileAtomic(join(dir, INDEX), `${JSON.stringify(index)}\n`);
}

/** Hash over the numbers and everything that they depend on. */
function digestOf({ shards: _, ...settings }: LossIndex, { ids }: LossShard, values: Float32Array): string {
  const { buffer, byteOffset, byteLength } = values;
  return createHash("sha256")
    .update(canonicalJson({ ...settings, ids }))
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest("hex");
}

function writeShard(dir: string, index: LossIndex, shard: LossShard, values: Float32Array): void {
  using rows = tensor(values, { shape: [shard.ids.length, index.columns.length] });
  const sha256 = digestOf(index, shard, values);
  writeSafetensors(join(dir, shard.file), { [LOSSES]: rows }, { format: "pt", sha256 });
}

/** The numbers of a file; undefined when it is not there, damaged, or of other settings. */
function readShard(dir: string, index: LossIndex, shard: LossShard): Float32Array | undefined {
  const path = join(dir, shard.file);
  if (!existsSync(path)) return undefined;
  try {
    const { metadata, tensors } = readSafetensorsHeader(path);
    const { dtype, shape } = tensors.get(LOSSES) ?? {};
    const fits = shape?.[0] === shard.ids.length && shape[1] === index.columns.length && shape.length === 2;
    if (tensors.size !== 1 || dtype !== "float32" || !fits) return undefined;
    using rows = readSafetensors(path).get(LOSSES)!;
    const values = rows.toArray() as Float32Array;
    return digestOf(index, shard, values) === metadata["sha256"] ? values : undefined;
  } catch (error) {
    if (error instanceof CheckpointError) return undefined;
    throw error;
  }
}

function checkFinite(values: Float32Array, ids: readonly string[]): void {
  const width = values.length / ids.length;
  const broken = ids.filter(
    (_, row) => !values.subarray(row * width, (row + 1) * width).every(Number.isFinite),
  );
  if (broken.length > 0)
    throw new DataError(
      `The base model's loss is not a finite number for ${listed(broken)}. Look at these images, and whether the base model's weights are whole.`,
    );
}
