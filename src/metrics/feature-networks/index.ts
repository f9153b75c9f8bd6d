/** Pictures to numbers: the networks whose features metrics compare. */
export { clipImageFeatures } from "./clip.ts";
export type { ClipFeatures } from "./clip.ts";
export { makeFeatureNetwork } from "./feature-network.ts";
export type { FeatureKind, FeatureNetwork, FeatureNetworkOptions } from "./feature-network.ts";
export { inceptionFeatures, inceptionFeaturesOf } from "./inception.ts";
export type { InceptionFeaturesOptions, InceptionResize } from "./inception.ts";
export { Lpips } from "./lpips.ts";
export { vgg16Features, vgg16FeaturesOf } from "./vgg16.ts";
export type { Vgg16FeaturesOptions, VggPreprocessing } from "./vgg16.ts";
