// The export `merged`: a whole pipeline that Python's StableDiffusionPipeline.from_pretrained loads.
import { modelFolder } from "../../checkpoint/index.ts";
import { loadTextEncoder, loadVae } from "../../models/index.ts";
import { saveModelFolder } from "../../pipelines/index.ts";
import { loadScheduler } from "../../schedulers/index.ts";
import { modelFolderOf } from "../config.ts";
import { mergedUnet } from "./networks.ts";
import type { Writer } from "./writer.ts";

/** Everything but the U-Net comes from the model folder that the experiment was made with. */
export const writeMerged: Writer = (dir, source, { dtype, strength }) => {
  const { config, absence } = source;
  const folders = modelFolder(modelFolderOf(config), ["vae", "text_encoder", "tokenizer", "scheduler"]);
  const { predictionType } = config.model;
  const scheduler = loadScheduler(folders.scheduler, {
    ...(predictionType !== undefined && { options: { prediction_type: predictionType } }),
  });
  const { unet, notes } = mergedUnet(source, strength);
  using _unet = unet;
  using vae = loadVae(folders.vae);
  using textEncoder = loadTextEncoder(folders.text_encoder);
  const parts = { unet, vae, textEncoder, scheduler, tokenizer: folders.tokenizer };
  saveModelFolder(dir, parts, { dtype });
  return absence === "" ? notes : [...notes, `${absence}: the base alone is exported`];
};
