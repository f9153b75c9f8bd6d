// Stage "latents": every training image through the autoencoder, every distinct caption through the text encoder, once.
import { loadImages, openImageFolder, toModelRange } from "../../data/index.ts";
import { type Tensor, tensor } from "../../torch/index.ts";
import { hashFile, hashJson } from "../hash.ts";
import type { Stage, StageContext } from "../stage.ts";
import type { ExperimentConfig } from "../config.ts";
import { dataNeeds, folderItems, trainFolder } from "./folders.ts";
import { frozen, mapBatches } from "./map-batches.ts";
import { modelHash, openTextEncoder, openTokenizer, openVae, saveLatentSet } from "./materials.ts";

const BATCH = 64;

export const latentsStage = (config: ExperimentConfig): Stage => ({
  name: "latents",
  needs: dataNeeds(config),
  inputs: async ({ data, ...rest }) => ({
    resolution: data.resolution,
    model: await modelHash({ data, ...rest }, ["vae", "text_encoder", "tokenizer"]),
    // Of a user's folder: ids, captions and pictures. Other columns of its metadata are not looked at.
    images: data.kind === "folder" ? await imagesHash(data.path!, data.captionColumn) : "birds",
  }),
  async run(context) {
    const { config, dir } = context;
    const items = folderItems(config, trainFolder(context));
    const captions = [...new Set(items.map((item) => item.caption))]
      .filter((caption) => caption !== "")
      .sort();
    captions.push("");
    const indexOf = new Map(captions.map((caption, i) => [caption, i]));
    using latents = await encodeImages(
      context,
      items.map((item) => item.file),
    );
    using states = await encodeCaptions(context, captions);
    saveLatentSet(dir, {
      ids: items.map((item) => item.id),
      captions,
      latents,
      states,
      captionOf: Int32Array.from(items, (item) => indexOf.get(item.caption)!),
    });
    return { images: items.length, captions: captions.length - 1 };
  },
});

/** Fingerprint of a folder's ids, captions and pictures. */
export async function imagesHash(path: string, captionColumn: string | undefined): Promise<string> {
  const { items } = openImageFolder(path, { captionColumn });
  const rows = [];
  for (const { id, caption, file } of items) rows.push([id, caption, await hashFile(file)]);
  return hashJson(rows);
}

/** Scaled latents (the distribution's mean) of image files, [N, C, h, w], on the CPU. */
async function encodeImages(
  { config, signal, progress }: StageContext,
  files: readonly string[],
): Promise<Tensor> {
  using vae = openVae(config);
  const onBatch = (done: number, total: number) => progress({ task: "encoding images", done, total });
  return await mapBatches(files.length, { batchSize: BATCH, signal, onBatch }, async (first, last) => {
    using pixels = await loadImages(files.slice(first, last), { size: config.data.resolution, signal });
    return frozen(() =>
      vae.encode(toModelRange(pixels).to(config.device)).mode().mul(vae.config.scaling_factor).to("cpu"),
    );
  });
}

async function encodeCaptions(
  { config, signal }: StageContext,
  captions: readonly string[],
): Promise<Tensor> {
  using encoder = openTextEncoder(config);
  const tokenizer = openTokenizer(config);
  return await mapBatches(captions.length, { batchSize: BATCH, signal }, (first, last) => {
    const { inputIds, shape } = tokenizer.encode(captions.slice(first, last));
    return frozen(() => encoder.forward(tensor(inputIds, { shape, device: config.device })).to("cpu"));
  });
}
