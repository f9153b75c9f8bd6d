/** Features of improved precision and recall: VGG-16's second fully connected layer before its ReLU, 4096 numbers. */
import { loadVgg16, type Vgg16 } from "../../models/index.ts";
import { type FeatureNetwork, type FeatureNetworkOptions, makeFeatureNetwork } from "./feature-network.ts";
import { imagenetInput, referenceVggInput } from "./preprocess.ts";

/**
 * "imagenet": as the network was trained; "reference": what the reference's evaluation feeds it (squares of 255 pixels
 * thinned out to 224, without ImageNet's mean and deviation), for comparison with its numbers.
 */
export type VggPreprocessing = "imagenet" | "reference";

const PREPROCESSING = {
  imagenet: { prepare: imagenetInput, title: "224 pixels" },
  reference: { prepare: referenceVggInput, title: "the reference's 255 pixels thinned to 224" },
} as const;

export interface Vgg16FeaturesOptions extends FeatureNetworkOptions {
  readonly preprocessing?: VggPreprocessing;
}

/** From torchvision's file. @throws CheckpointError */
export const vgg16Features = (file: string, options: Vgg16FeaturesOptions): FeatureNetwork =>
  vgg16FeaturesOf(loadVgg16(file, options), options);

/** From a network in memory, which is owned from then on. */
export function vgg16FeaturesOf(
  network: Vgg16,
  { preprocessing = "imagenet", ...options }: Vgg16FeaturesOptions,
): FeatureNetwork {
  const { prepare, title } = PREPROCESSING[preprocessing];
  return makeFeatureNetwork({
    ...options,
    kind: "vgg16",
    name: `VGG-16 fc2, ${title}`,
    dimensions: network.dimensions,
    recipe: `${preprocessing} 1`,
    prepare,
    embed: (input) => network.forward(input),
    network,
  });
}
