export { AutoencoderKL, LatentDistribution } from "./autoencoder-kl.ts";
export { VAE_DEFAULTS, vaeConfig } from "./config.ts";
export type { VaeConfig } from "./config.ts";
export type { TilingOptions, VaeMemoryOptions } from "./tiling.ts";
