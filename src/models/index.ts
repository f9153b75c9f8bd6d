/** The networks: conditional U-Net, autoencoder, CLIP, published presets, and the evaluation stage's classifier. */
export * from "./clip/index.ts";
export * from "./invdiff-checkpoint.ts";
export * from "./load.ts";
export { loadClip, loadClipImageOptions } from "./load-clip.ts";
export * from "./presets.ts";
export { loadResnet, resnetFile } from "./load-resnet.ts";
export type { LoadResnetOptions } from "./load-resnet.ts";
export { Resnet, RESNETS } from "./resnet.ts";
export type { ResnetConfig, ResnetName } from "./resnet.ts";
export { RESNET_CLASSIFIER_DEFAULTS, ResnetClassifier } from "./resnet-classifier.ts";
export type { ResnetClassifierConfig } from "./resnet-classifier.ts";
export * from "./unet/index.ts";
export * from "./vae/index.ts";
export * from "./vision/index.ts";
