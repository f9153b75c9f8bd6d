// Stage "latents": which images and captions there are, by content; and every one of them through the frozen encoders,
// once. The encoded rows lie in a cache beside the stages, which other settings, other stages and other runs share; the
// stage's own folder only says what belongs to it. Without a cache, batches are encoded when they are asked for.
import { dirname, join } from "node:path";

import { type ImageItem, openImageFolder } from "../../data/index.ts";
import {
  describeItems,
  type EncoderKeys,
  encoderKeys,
  hashFiles,
  openTrainingSet,
  type OpenedSet,
  type SetItems,
} from "../cache/index.ts";
import { type ExperimentConfig, modelFolderOf } from "../config.ts";
import { bytesText } from "../disk-full.ts";
import { hashJson, type KnownHashes } from "../hash.ts";
import type { Stage, StageContext } from "../stage.ts";
import { dataNeeds, folderItems, type FolderRef, trainFolder, trainItems } from "./folders.ts";
import { readItemsFile, writeItemsFile } from "./items-file.ts";
import { modelHash } from "./materials.ts";

export const latentsStage = (config: ExperimentConfig): Stage => {
  // Planning looks at the same pictures as the work; they are read once.
  const known: KnownHashes = new Map();
  return {
    name: "latents",
    needs: dataNeeds(config),
    // What was encoded is in the cache.
    disposable: true,
    inputs: async ({ seed, data, ...rest }) => ({
      format: 2,
      resolution: data.resolution,
      crop: data.crop,
      flip: data.flip,
      model: await modelHash({ seed, data, ...rest }, ["vae", "text_encoder", "tokenizer"]),
      // Of a user's folder: ids, captions and pictures. Other columns of its metadata are not looked at.
      images:
        data.kind === "folder"
          ? await itemsHash(trainItems({ seed, data, ...rest }, { path: data.path! }), known)
          : "birds",
      ...(data.kind === "birds" && data.maxTrainSamples !== undefined
        ? { maxTrainSamples: data.maxTrainSamples, seed }
        : {}),
    }),
    async run(context) {
      const { config, dir, signal, progress } = context;
      const folder = trainFolder(context);
      const items = await describeItems(trainItems(config, folder), {
        ...{ known, signal },
        onProgress: (done, total) => progress({ task: "looking at images", done, total, unit: "images" }),
      });
      const keys = await encoderKeys({ folder: modelFolderOf(config), resolution: config.data.resolution });
      writeItemsFile(dir, { items, folder: folder.path, keys });
      const counts = { images: items.ids.length, captions: items.captions.length - 1 };
      if (!isCached(config)) return { ...counts, cached: false };
      const { note } = context;
      using set = await openSet(config, { ...{ items, keys, signal, progress, note }, out: dirname(dir) });
      return { ...counts, cached: true, ...set.work };
    },
  };
};

/** Fingerprint of a folder's ids, captions and pictures. */
export const imagesHash = (path: string, captionColumn: string | undefined): Promise<string> =>
  itemsHash(openImageFolder(path, { captionColumn }).items);

async function itemsHash(items: readonly ImageItem[], known?: KnownHashes): Promise<string> {
  const hashes = await hashFiles(
    items.map(({ file }) => file),
    { known },
  );
  return hashJson(items.map(({ id, captions }, i) => [id, captions, hashes[i]]));
}

/** Whether pictures come from the cache: a random crop is another picture each time. */
export const isCached = ({ data }: ExperimentConfig): boolean => data.cache && data.crop === "centre";

/** What a stage passes on: who stops it, who is told. */
export type SetContext = Partial<Pick<StageContext, "signal" | "progress" | "note">>;

/**
 * The images of a finished latents stage, whose folder lies in the experiment's. What the cache lacks (it was deleted,
 * or damaged, or the stage ran without one) is encoded first.
 * Errors: those of `openTrainingSet`; CheckpointError when the folder is not a latents stage's.
 */
export async function openLatentsStage(
  dir: string,
  config: ExperimentConfig,
  context: SetContext = {},
): Promise<OpenedSet> {
  const out = dirname(dir);
  // The same folders as trainFolder's.
  const folder = config.data.kind === "birds" ? join(out, "data", "birds") : config.data.path!;
  const { items, keys } = readItemsFile(dir, folder);
  return openSet(config, { ...context, items, keys, out });
}

/** Another folder's images, such as those for validation: cropped in the middle, not mirrored, from the same cache. */
export async function openFolderSet(
  folder: FolderRef,
  config: ExperimentConfig,
  { out, signal, progress, note }: SetContext & { /** The experiment's folder. */ readonly out: string },
): Promise<OpenedSet> {
  const items = await describeItems(folderItems(config, folder), { signal });
  const still = { ...config, data: { ...config.data, crop: "centre", flip: false } } as const;
  return openSet(still, { items, out, signal, progress, note });
}

interface SetParts extends SetContext {
  readonly items: SetItems;
  readonly keys?: EncoderKeys;
  readonly out: string;
}

const openSet = (
  config: ExperimentConfig,
  { items, keys, out, signal, progress, note }: SetParts,
): Promise<OpenedSet> =>
  openTrainingSet({
    ...{ items, signal, device: config.device },
    model: { folder: modelFolderOf(config), keys },
    resolution: config.data.resolution,
    crop: config.data.crop,
    flip: config.data.flip,
    cache: isCached(config) ? { dir: config.data.cacheFolder ?? join(out, "cache") } : undefined,
    report: (task, done, total, unit) => progress?.({ task, done, total, unit }),
    onPlan: ({ images, captions, bytes, freeBytes }) => {
      if (bytes === 0) return;
      const free = freeBytes === undefined ? "" : ` (${bytesText(freeBytes)} free)`;
      note?.(
        `Cache: ${images} pictures and ${captions} captions to encode, ${bytesText(bytes)} to write${free}.`,
      );
    },
  });
