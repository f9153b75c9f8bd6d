// Features of pictures, computed once: a row per picture in a store beside the encoder's, under the key of the network that
// made it, whichever model, table or run asks for it.
import { join } from "node:path";

import type { FeatureNetwork } from "../../metrics/index.ts";
import type { Tensor } from "../../torch/index.ts";
import { fillStore } from "../cache/fill-store.ts";
import { openRowStore } from "../cache/row-store.ts";
import { type ImageSet, rowsOf } from "./image-set.ts";

export interface FeatureOptions {
  /** Folder of all features; a network has its own in it. */
  readonly folder: string;
  readonly batchSize?: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * Features of every picture, float32 [N, dimensions] on the CPU; the caller disposes of them. What an interrupted call has
 * made is kept. Errors: those of reading pictures; UserError for a folder that cannot be written; the signal's reason.
 */
export async function featuresOf(
  network: FeatureNetwork,
  images: ImageSet,
  { folder, batchSize = 32, signal, onProgress }: FeatureOptions,
): Promise<Tensor> {
  using store = await openRowStore(join(folder, network.key.slice(0, 32)), {
    rowShape: [network.dimensions],
    about: { network: network.name, key: network.key },
    signal,
  });
  // Equal pictures are looked at once.
  const rows = new Map(images.keys.map((key, row) => [key, row]));
  const entries = [...rows].map(([key, value]) => ({ value, keys: [key] }));
  await fillStore(store, entries, {
    ...{ batchSize, signal, onProgress },
    prepare: async (chosen) => images.load(chosen),
    encode: (pictures, wanted) => {
      // Another process may have made some of them in the meantime.
      using chosen =
        wanted.length === pictures.shape[0]
          ? undefined
          : rowsOf(
              pictures,
              wanted.map(({ entry }) => entry),
            );
      return network.features(chosen ?? pictures);
    },
  });
  return store.gather(store.locate(images.keys));
}
