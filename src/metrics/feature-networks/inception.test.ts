import { featureNetworkContract } from "../../../test/contracts/feature-network.ts";
import { formulaNetwork } from "../../../test/formula-fill.ts";
import { FidInception } from "../../models/index.ts";
import { inceptionFeaturesOf } from "./inception.ts";

const small = () => formulaNetwork((vs) => new FidInception(vs, { width: 1 / 16 }));

featureNetworkContract("Inception", (options) => inceptionFeaturesOf(small(), options), {
  reference: (options) => inceptionFeaturesOf(small(), { ...options, resize: "reference" }),
});
