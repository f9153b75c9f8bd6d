// Where the images of an experiment lie.
import { join } from "node:path";

import { drawItems, type ImageItem, openImageFolder } from "../../data/index.ts";
import type { ExperimentConfig } from "../config.ts";
import type { StageContext } from "../stage.ts";

/** Stage that draws the procedural data set; a user's folder needs none. */
export const dataNeeds = (config: ExperimentConfig): readonly string[] =>
  config.data.kind === "birds" ? ["data"] : [];

/** An image folder and its split, as `openImageFolder` takes them. */
export interface FolderRef {
  readonly path: string;
  readonly split?: string;
}

export const trainFolder = ({ config, input }: StageContext): FolderRef =>
  config.data.kind === "birds"
    ? { path: join(input("data"), "birds"), split: "train" }
    : { path: config.data.path! };

/** Balanced images for classifiers and FID; undefined if the user gave none. */
export function validationFolder({ config, input }: StageContext): FolderRef | undefined {
  if (config.data.kind === "birds") return { path: join(input("data"), "birds"), split: "validation" };
  return config.data.validationPath === undefined ? undefined : { path: config.data.validationPath };
}

/** Ids, files and captions of a folder's images. Errors: those of `openImageFolder`. */
export const folderItems = (config: ExperimentConfig, { path, split }: FolderRef): readonly ImageItem[] =>
  openImageFolder(path, { captionColumn: config.data.captionColumn, split }).items;

/** The images to train on: all of the folder, or `data.maxTrainSamples` of them, drawn by the seed. */
export function trainItems(config: ExperimentConfig, folder: FolderRef): readonly ImageItem[] {
  const items = folderItems(config, folder);
  const { maxTrainSamples } = config.data;
  return maxTrainSamples === undefined ? items : drawItems(items, maxTrainSamples, config.seed);
}
