/** The networks of evaluation: FID's Inception-v3, VGG-16, LPIPS; their published files. */
export { FidInception, INCEPTION_SIZE } from "./fid-inception.ts";
export type { FidInceptionConfig } from "./fid-inception.ts";
export { loadFidInception, loadLpips, loadVgg16 } from "./load-network.ts";
export type { LoadNetworkOptions, LpipsFiles } from "./load-network.ts";
export { lpipsScaled, LpipsVgg } from "./lpips-vgg.ts";
export type { LpipsConfig } from "./lpips-vgg.ts";
export { downloadCommand, findNetworkFile, NETWORK_FILES, NETWORK_KINDS } from "./network-files.ts";
export type { NetworkKind } from "./network-files.ts";
export { recogniseNetwork } from "./recognise-network.ts";
export { Vgg16, VGG16_SIZE } from "./vgg16.ts";
export type { Vgg16Config } from "./vgg16.ts";
