// items.json of the latents stage: the images and captions of the experiment, and where the cache keeps them. The one
// thing that later stages need to know of the images, tensors apart.
import { join, relative } from "node:path";

import { readJsonObject } from "../../checkpoint/index.ts";
import { CheckpointError, writeFileAtomic } from "../../torch/index.ts";
import type { EncoderKeys, SetCaptions, SetItems } from "../cache/index.ts";

const ITEMS = "items.json";

interface ItemsFile extends SetItems {
  readonly keys: EncoderKeys;
}

/** Writes the file; pictures are named relative to `folder`, so that the experiment can be moved with its data. */
export function writeItemsFile(
  dir: string,
  { items, folder, keys }: { items: SetItems; folder: string; keys: EncoderKeys },
): void {
  const { ids, captions, captionsOf, hashes } = items;
  const files = items.files.map((file) => relative(folder, file));
  const content: ItemsFile = { ids, captions, captionsOf, files, hashes, keys };
  writeFileAtomic(join(dir, ITEMS), JSON.stringify(content));
}

/** Ids and captions of the images. Errors: CheckpointError. */
export function readItems(dir: string): SetCaptions {
  const { ids, captions, captionsOf } = readFile(dir);
  return { ids, captions, captionsOf };
}

/** The whole file, pictures in `folder`. Errors: CheckpointError. */
export function readItemsFile(dir: string, folder: string): { items: SetItems; keys: EncoderKeys } {
  const { keys, ...items } = readFile(dir);
  return { items: { ...items, files: items.files.map((file) => join(folder, file)) }, keys };
}

function readFile(dir: string): ItemsFile {
  const path = join(dir, ITEMS);
  const content = readJsonObject(path) as Partial<ItemsFile>;
  const { ids, captions, captionsOf, files, hashes, keys } = content;
  const lists = [ids, captionsOf, files, hashes];
  const isComplete = lists.every((list) => Array.isArray(list) && list.length === ids?.length);
  const isKeyed = typeof keys?.moments === "string" && typeof keys.text === "string";
  if (!isComplete || !Array.isArray(captions) || !isKeyed)
    throw new CheckpointError(
      `${path} holds ${Object.keys(content).join(", ") || "nothing"}; expected ids, captions, captionsOf, files, hashes and keys as the latents stage writes them. Make the stage anew (--force).`,
    );
  return content as ItemsFile;
}
