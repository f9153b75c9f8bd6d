/** Data: image folders, pictures as tensors, batches, and the procedural Birds. */
export { shuffledBatches, weightedBatches } from "./batches.ts";
export type { Batches, BatchState } from "./batches.ts";
export * from "./birds/index.ts";
export { clipImageOptions, clipPixelValues } from "./clip-preprocess.ts";
export type { ClipImageOptions } from "./clip-preprocess.ts";
export { drawItems, openImageFolder } from "./image-folder.ts";
export type { ImageFolder, ImageFolderOptions, ImageItem } from "./image-folder.ts";
export { imageGrid } from "./image-grid.ts";
export { readImage } from "./image-ref.ts";
export type { ImageGridOptions } from "./image-grid.ts";
export { decodeImage, encodePng, fromModelRange, loadImages, savePng, toModelRange } from "./images.ts";
export type { LoadImagesOptions } from "./images.ts";
export * from "./prepare/index.ts";
export { loadPixelValues } from "./loader/load-pixel-values.ts";
export type { PixelValuesOptions } from "./loader/load-pixel-values.ts";
export { Random } from "./random.ts";
export type { RandomState } from "./random.ts";
export { resizeAndCrop } from "./resize.ts";
export type { CropPosition, Fit, RgbImage } from "./resize.ts";
export {
  type BatchPlan,
  type DiffusionBatch,
  diffusionBatch,
  type DrawnNumbers,
  type DrawOptions,
  latentsOf,
  planBatch,
} from "./draw-batch.ts";
export type { PictureReading, RowReading, RowTable, SetReading } from "./set-reading.ts";
export { stepBatches } from "./load-batch.ts";
export type { StepBatch, StepDraw } from "./load-batch.ts";
export { stepGenerator } from "./step-generator.ts";
export * from "./training-set.ts";
