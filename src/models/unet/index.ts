export { UNET_DEFAULTS, unetConfig } from "./config.ts";
export type { UNetConfig } from "./config.ts";
export { UNet2DConditionModel } from "./unet.ts";
