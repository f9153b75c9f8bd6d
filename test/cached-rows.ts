// A training set as the stage "latents" leaves it, with random numbers in place of encoded pictures and texts: files of few
// rows, so that a batch needs several.
import type { RowStore } from "../src/experiment/cache/row-store.ts";
import { cachedSet, textEntries } from "../src/experiment/cache/cached-set.ts";
import { openRowStore } from "../src/experiment/cache/row-store.ts";
import { tabulateCaptions } from "../src/experiment/cache/set-items.ts";
import { sha256 } from "../src/experiment/hash.ts";
import type { RowReading, TrainingSet } from "../src/data/index.ts";
import { Generator, randn, scope } from "../src/torch/index.ts";
import { join } from "node:path";

export interface CachedRowsOptions {
  readonly images?: number;
  readonly latentShape?: readonly [number, number, number];
  readonly stateShape?: readonly [number, number];
  /** Distinct ones besides the empty caption; every image has two. */
  readonly captions?: number;
  readonly rowsPerFile?: number;
  readonly device?: string;
  /** Whether every image has a mirrored one; default true. */
  readonly flip?: boolean;
}

export type CachedRows = TrainingSet & { readonly reading: RowReading };

/** Opens a set whose files are in `folder`; a second one with the same options reads the same files. */
export async function cachedRows(folder: string, options: CachedRowsOptions = {}): Promise<CachedRows> {
  const { images = 20, latentShape = [4, 4, 4], stateShape = [3, 8], captions = 5 } = options;
  const { rowsPerFile = 6, device = "cpu", flip = true } = options;
  const items = Array.from({ length: images }, (_, i) => ({
    id: `${i}.png`,
    captions: [`caption ${i % captions}`, `caption ${(i + 1) % captions}`],
  }));
  const table = tabulateCaptions(items);
  const hashes = table.ids.map(sha256);
  const generator = new Generator().manualSeed(images);
  const open = async (kind: string, keys: readonly string[], rowShape: readonly number[]) => {
    const store = await openRowStore(join(folder, kind), { rowShape });
    for (let first = 0; first < keys.length; first += rowsPerFile)
      if (!store.has(keys[first]!)) append(store, keys.slice(first, first + rowsPerFile), generator);
    return store;
  };
  const [channels, ...space] = latentShape;
  const moments = await open(
    "moments",
    hashes.flatMap((hash) => (flip ? [hash, `${hash}f`] : [hash])),
    [2 * channels, ...space],
  );
  const states = await open(
    "text",
    textEntries(table).map(({ keys }) => keys[0]!),
    stateShape,
  );
  return cachedSet(
    { ...table, files: table.ids, hashes },
    { moments, states, encoders: { latentShape, scalingFactor: 0.5, device }, flip },
  ) as CachedRows;
}

const append = (store: RowStore, keys: readonly string[], generator: Generator): void =>
  scope(() => void store.append(keys, randn([keys.length, ...store.rowShape], { generator })));
