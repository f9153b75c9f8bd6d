// The one way to a training set: from a cache, which is completed first, or encoded anew for every batch.
import { join } from "node:path";

import type { TrainingSet } from "../../data/index.ts";
import { type Device, UserError } from "../../torch/index.ts";
import { bytesText, freeDiskBytes } from "../disk-full.ts";
import {
  cachedSet,
  fillMoments,
  fillStates,
  pictureEntries,
  type Report,
  textEntries,
} from "./cached-set.ts";
import { type EncoderKeys, encoderKeys, type Encoders, openEncoders } from "./encoders.ts";
import { cacheEstimate } from "./estimate.ts";
import type { Entry } from "./fill-store.ts";
import { onlineSet } from "./online-set.ts";
import { openRowStore, type RowStore } from "./row-store.ts";
import type { SetItems } from "./set-items.ts";

/** What the cache lacks, told before it is encoded. */
export interface CachePlan {
  readonly images: number;
  readonly captions: number;
  /** To be written. */
  readonly bytes: number;
  /** Free on the disk; undefined where unknown. */
  readonly freeBytes: number | undefined;
}

/** What opening a set from a cache has done. */
export interface CacheWork {
  /** Rows that were encoded: a picture and its mirror image are two. */
  readonly encodedImages: number;
  readonly encodedCaptions: number;
  readonly bytes: number;
  /** Files that were damaged, removed and made again. */
  readonly damaged: readonly string[];
}

export interface TrainingSetOptions {
  readonly items: SetItems;
  /** Model folder in the diffusers layout; `keys` are its fingerprints if they are known already. */
  readonly model: { readonly folder: string; readonly keys?: EncoderKeys | undefined };
  readonly resolution: number;
  readonly device: Device;
  /** "random": requests say where; such pictures are never cached. */
  readonly crop: "centre" | "random";
  /** Whether requests may ask for mirror images. */
  readonly flip: boolean;
  /** Folder of the cache, shared by any sets and processes; undefined: every batch is encoded when it is asked for. */
  readonly cache: { readonly dir: string; readonly shardRows?: number } | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly report?: Report | undefined;
  readonly onPlan?: ((plan: CachePlan) => void) | undefined;
}

/** A training set, and what was encoded to open it. */
export interface OpenedSet extends TrainingSet {
  readonly work: CacheWork;
}

/**
 * Opens a set; one from a cache encodes what the cache lacks, which an interruption leaves for the next time.
 * Errors: CheckpointError of the model, DataError of pictures, UserError of the cache's folder, the signal's reason.
 */
export async function openTrainingSet(options: TrainingSetOptions): Promise<OpenedSet> {
  const { items, model, resolution, device, crop, cache } = options;
  const encoders = openEncoders({ folder: model.folder, resolution, device });
  if (!cache || crop === "random") {
    const work = { encodedImages: 0, encodedCaptions: 0, bytes: 0, damaged: [] };
    return Object.assign(onlineSet(items, encoders, resolution), { work });
  }
  const opened: Disposable[] = [encoders];
  try {
    const keys = model.keys ?? (await encoderKeys({ folder: model.folder, resolution }));
    const open = async (kind: keyof EncoderKeys, rowShape: readonly number[]): Promise<RowStore> => {
      const store = await openRowStore(join(cache.dir, `${kind}-${keys[kind].slice(0, 16)}`), {
        ...{ rowShape, signal: options.signal },
        about: { kind, key: keys[kind], rowShape, ...(kind === "moments" && { resolution, crop }) },
        onProgress: (done, total) => options.report?.("checking the cache", done, total, "files"),
      });
      opened.push(store);
      return store;
    };
    const [channels, ...space] = encoders.latentShape;
    const moments = await open("moments", [2 * channels, ...space]);
    const states = await open("text", encoders.stateShape);
    const work = await complete(options, { encoders, moments, states, dir: cache.dir });
    encoders.release();
    return Object.assign(cachedSet(items, { moments, states, encoders, flip: options.flip }), { work });
  } catch (error) {
    for (const part of opened) part[Symbol.dispose]();
    throw error;
  }
}

interface Stores {
  readonly encoders: Encoders;
  readonly moments: RowStore;
  readonly states: RowStore;
  readonly dir: string;
}

/** Encodes what the stores lack. */
async function complete(
  { items, flip, resolution, signal, report, onPlan, cache }: TrainingSetOptions,
  { encoders, moments, states, dir }: Stores,
): Promise<CacheWork> {
  const [pictures, texts] = [pictureEntries(items, flip), textEntries(items)];
  const lacking = <T>(store: RowStore, entries: readonly Entry<T>[]): number =>
    entries.flatMap(({ keys }) => keys).filter((key) => !store.has(key)).length;
  const [images, captions] = [lacking(moments, pictures), lacking(states, texts)];
  const { latentShape, stateShape } = encoders;
  const bytes = cacheEstimate({ images, flip: false, latentShape, captions, stateShape });
  const freeBytes = freeDiskBytes(dir);
  onPlan?.({ images, captions, bytes, freeBytes });
  if (freeBytes !== undefined && bytes > freeBytes)
    throw new UserError(
      `The cache of encoded images needs ${bytesText(bytes)} more, but ${dir} has ${bytesText(freeBytes)} free. ` +
        `Choose a folder on another disk (data.cacheFolder), or work without a cache (data.cache: false).`,
    );
  const context = { encoders, signal, report, shardRows: cache?.shardRows };
  const text = await fillStates(states, texts, context);
  // Never both halves of the model in memory.
  encoders.release();
  const picture = await fillMoments(moments, pictures, { ...context, resolution });
  return {
    encodedImages: picture.rows,
    encodedCaptions: text.rows,
    bytes: picture.bytes + text.bytes,
    damaged: [...moments.damaged, ...states.damaged],
  };
}
