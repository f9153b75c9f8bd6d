import { featureNetworkContract } from "../../../test/contracts/feature-network.ts";
import { formulaNetwork } from "../../../test/formula-fill.ts";
import { Vgg16 } from "../../models/index.ts";
import { vgg16FeaturesOf } from "./vgg16.ts";

const small = () => formulaNetwork((vs) => new Vgg16(vs, { channels: [4, 4, 8, 8, 8], hidden: 24 }));

featureNetworkContract("VGG-16", (options) => vgg16FeaturesOf(small(), options), {
  reference: (options) => vgg16FeaturesOf(small(), { ...options, preprocessing: "reference" }),
});
