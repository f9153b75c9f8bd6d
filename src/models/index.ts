/** The networks: conditional U-Net, autoencoder, CLIP text encoder, and the evaluation stage's classifier. */
export * from "./clip/index.ts";
export * from "./load.ts";
export { RESNET_CLASSIFIER_DEFAULTS, ResnetClassifier } from "./resnet-classifier.ts";
export type { ResnetClassifierConfig } from "./resnet-classifier.ts";
export * from "./unet/index.ts";
export * from "./vae/index.ts";
