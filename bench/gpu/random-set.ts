// A training set as a run has it after its stage "latents": files with the moments of images and the states of their
// captions, here of random numbers. Everything behind it (mapped files, reading ahead, copies) is the program's own.
import { join } from "node:path";
import type { TrainingSet } from "../../src/data/index.ts";
import { cachedSet, textEntries } from "../../src/experiment/cache/cached-set.ts";
import { openRowStore, type RowStore } from "../../src/experiment/cache/row-store.ts";
import { tabulateCaptions } from "../../src/experiment/cache/set-items.ts";
import { sha256 } from "../../src/experiment/hash.ts";
import { Generator, randn, scope } from "../../src/torch/index.ts";

export interface RandomSetOptions {
  readonly images: number;
  readonly latentShape: readonly [number, number, number];
  readonly tokens: number;
  readonly textWidth: number;
  readonly device: string;
}

/** Rows of a file, as the stage writes them for latents of 512 px. */
const SHARD_ROWS = 128;

/** Every image has a caption of its own. The files in `folder` stay, and a second set of the same sizes uses them again. */
export async function randomSet(folder: string, options: RandomSetOptions): Promise<TrainingSet> {
  const { images, latentShape, tokens, textWidth, device } = options;
  const [channels, ...space] = latentShape;
  const named = Array.from({ length: images }, (_, i) => ({ id: `${i}.png`, captions: [`picture ${i}`] }));
  const table = tabulateCaptions(named);
  const items = { ...table, files: table.ids, hashes: table.ids.map(sha256) };
  const generator = new Generator().manualSeed(0);
  const open = async (kind: string, keys: readonly string[], rowShape: readonly number[]) => {
    const store = await openRowStore(join(folder, `${kind}-${rowShape.join("x")}-${keys.length}`), {
      rowShape,
    });
    if (!store.has(keys[0]!)) fill(store, keys, generator);
    return store;
  };
  const moments = await open("moments", items.hashes, [2 * channels, ...space]);
  const texts = textEntries(items).map(({ keys }) => keys[0]!);
  const states = await open("text", texts, [tokens, textWidth]);
  const encoders = { latentShape, scalingFactor: 0.18215, device };
  return cachedSet(items, { moments, states, encoders, flip: false });
}

function fill(store: RowStore, keys: readonly string[], generator: Generator): void {
  for (let first = 0; first < keys.length; first += SHARD_ROWS)
    scope(() => {
      const own = keys.slice(first, first + SHARD_ROWS);
      store.append(own, randn([own.length, ...store.rowShape], { generator }));
    });
}
