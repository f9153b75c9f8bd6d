/** Features of FID and KID: the last maps' means ("pool3") of Inception-v3, 2048 numbers. */
import { type FidInception, loadFidInception } from "../../models/index.ts";
import { type FeatureNetwork, type FeatureNetworkOptions, makeFeatureNetwork } from "./feature-network.ts";
import { cleanInceptionInput, referenceInceptionInput } from "./preprocess.ts";

/** "clean": antialiased, no rounding; "reference": the reference's 255 pixels, for comparison with its numbers. */
export type InceptionResize = "clean" | "reference";

const RESIZES = {
  clean: { prepare: cleanInceptionInput, title: "clean resize" },
  reference: { prepare: referenceInceptionInput, title: "the reference's resize over 255 pixels" },
} as const;

export interface InceptionFeaturesOptions extends FeatureNetworkOptions {
  readonly resize?: InceptionResize;
}

/** From pytorch-fid's or torch-fidelity's file. @throws CheckpointError */
export const inceptionFeatures = (file: string, options: InceptionFeaturesOptions): FeatureNetwork =>
  inceptionFeaturesOf(loadFidInception(file, options), options);

/** From a network in memory, which is owned from then on. */
export function inceptionFeaturesOf(
  network: FidInception,
  { resize = "clean", ...options }: InceptionFeaturesOptions,
): FeatureNetwork {
  const { prepare, title } = RESIZES[resize];
  return makeFeatureNetwork({
    ...options,
    kind: "inception",
    name: `Inception-v3 pool3 (FID), ${title}`,
    dimensions: network.dimensions,
    recipe: `${resize} 1`,
    prepare,
    embed: (input) => network.forward(input),
    network,
  });
}
