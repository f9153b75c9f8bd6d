// A training set from the cache: what is missing there is encoded first, then batches are rows of mapped files.
import { loadImages, type RowReading, type TrainingSet } from "../../data/index.ts";
import { InvDiffError, keep, scope, type Tensor, tensor, upload, where } from "../../torch/index.ts";
import { sha256 } from "../hash.ts";
import { readContent } from "./content.ts";
import type { Encoders } from "./encoders.ts";
import { type Entry, fillStore } from "./fill-store.ts";
import type { RowStore } from "./row-store.ts";
import { checkRequest, type SetItems } from "./set-items.ts";

/** Called with what is being done; the last two numbers count `unit`. */
export type Report = (task: string, done: number, total: number, unit: string) => void;

export interface FillContext {
  readonly encoders: Encoders;
  readonly signal?: AbortSignal | undefined;
  readonly report?: Report | undefined;
  /** Rows of a full shard; default: by their size. */
  readonly shardRows?: number | undefined;
}

/** Key of a picture's row; its mirror image has a row of its own. */
const pictureKey = (hash: string, isFlipped: boolean): string => (isFlipped ? `${hash}f` : hash);

/** Pictures with the keys of their rows; files with the same content are one. */
export function pictureEntries({ files, hashes }: SetItems, flip: boolean): Entry<Picture>[] {
  const byHash = new Map(hashes.map((hash, i) => [hash, files[i]!]));
  return Array.from(byHash, ([hash, file]) => ({
    value: { hash, file },
    keys: flip ? [pictureKey(hash, false), pictureKey(hash, true)] : [pictureKey(hash, false)],
  }));
}

interface Picture {
  readonly file: string;
  readonly hash: string;
}

/** Texts with the keys of their rows. */
export const textEntries = ({ captions }: Pick<SetItems, "captions">): Entry<string>[] =>
  captions.map((caption) => ({ value: caption, keys: [sha256(caption)] }));

/** Encodes pictures that the store lacks; each is decoded once for itself and its mirror image. */
export function fillMoments(
  store: RowStore,
  entries: readonly Entry<Picture>[],
  { encoders, resolution, signal, report, shardRows }: FillContext & { resolution: number },
): ReturnType<typeof fillStore> {
  return fillStore(store, entries, {
    ...{ signal, shardRows },
    batchSize: Math.max(encoders.picturesPerPiece, encoders.device === "cpu" ? 4 : 32),
    onProgress: (done, total) => report?.("encoding images", done, total, "images"),
    prepare: (pictures) =>
      loadImages(
        pictures.map(({ file }) => file),
        { size: resolution, signal, concurrency: 8, read: (file, i) => readContent(file, pictures[i]!.hash) },
      ),
    encode(pictures, wanted) {
      using chosen = keep(
        scope(() => {
          const own = pictures.indexSelect(
            0,
            tensor(
              Int32Array.from(wanted, ({ entry }) => entry),
              { dtype: "int64" },
            ),
          );
          const flips = Uint8Array.from(wanted, ({ variant }) => variant);
          return flips.includes(1) ? mirrored(own, flips) : own;
        }),
      );
      using moments = encoders.moments(chosen);
      return onCpu(moments);
    },
  });
}

/** Pictures [B, 3, H, W], those with a flip of 1 mirrored left to right. */
function mirrored(pictures: Tensor, flips: Uint8Array): Tensor {
  return scope(() => {
    const mask = tensor(flips, { shape: [flips.length, 1, 1, 1] });
    return where(mask.to("bool"), pictures.flip([3]), pictures);
  });
}

/** Encodes texts that the store lacks. */
export function fillStates(
  store: RowStore,
  entries: readonly Entry<string>[],
  { encoders, signal, report, shardRows }: FillContext,
): ReturnType<typeof fillStore> {
  return fillStore(store, entries, {
    ...{ signal, shardRows },
    batchSize: encoders.textsPerPiece,
    onProgress: (done, total) => report?.("encoding captions", done, total, "captions"),
    prepare: async (texts) => ({ texts, [Symbol.dispose]: () => undefined }),
    encode({ texts }, wanted) {
      using states = encoders.states(wanted.map(({ entry }) => texts[entry]!));
      return onCpu(states);
    },
  });
}

const onCpu = (values: Tensor): Tensor => keep(scope(() => values.to("cpu")));

export interface CachedSetParts {
  readonly moments: RowStore;
  readonly states: RowStore;
  readonly encoders: Pick<Encoders, "latentShape" | "scalingFactor" | "device">;
  readonly flip: boolean;
}

/** The set owns the stores. Errors: InvDiffError when a row is missing. */
export function cachedSet(items: SetItems, { moments, states, encoders, flip }: CachedSetParts): TrainingSet {
  const { ids, captions, captionsOf, hashes } = items;
  const { latentShape, scalingFactor, device } = encoders;
  const placesOf = (store: RowStore, keys: readonly string[]): Int32Array => {
    const places = store.locate(keys);
    if (places.includes(-1)) throw new InvDiffError(`The cache lacks the row ${keys[places.indexOf(-1)]}.`);
    return places;
  };
  const picturesAt = [false, true].slice(0, flip ? 2 : 1).map((isFlipped) =>
    placesOf(
      moments,
      hashes.map((hash) => pictureKey(hash, isFlipped)),
    ),
  );
  const textsAt = placesOf(
    states,
    textEntries(items).map(({ keys }) => keys[0]!),
  );
  const rowsOf = (store: RowStore, places: Int32Array): Tensor => {
    using rows = store.gather(places);
    return keep(scope(() => upload(rows, device)));
  };
  const places: RowReading["places"] = (request) => {
    checkRequest(items, request);
    const { rows, flips, crops } = request;
    if (crops)
      throw new InvDiffError("Cached pictures are cropped in the middle; open the set without a cache.");
    if (!flip && flips?.includes(1))
      throw new InvDiffError("The set was opened without mirror images; open it with flip: true.");
    return {
      moments: Int32Array.from(rows, (row, i) => picturesAt[flips?.[i] ? 1 : 0]![row]!),
      states: statesAt(request.captions),
    };
  };
  const statesAt = (asked: Int32Array): Int32Array => asked.map((caption) => textsAt[caption]!);
  return {
    ...{ ids, captions, captionsOf, latentShape, scalingFactor, device },
    async load(request) {
      const at = places(request);
      const encoded = rowsOf(moments, at.moments);
      try {
        return { moments: encoded, encoderHiddenStates: rowsOf(states, at.states) };
      } catch (error) {
        encoded.dispose();
        throw error;
      }
    },
    reading: {
      kind: "rows",
      tables: { moments: moments.table(), states: states.table() },
      places,
      stateShape: states.rowShape,
      states: (asked) => rowsOf(states, statesAt(asked)),
    },
    [Symbol.dispose]() {
      for (const store of [moments, states]) store[Symbol.dispose]();
    },
  };
}
