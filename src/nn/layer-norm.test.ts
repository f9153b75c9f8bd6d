import { describe, it } from "vitest";
import { expectModuleParity } from "../../test/tensors.ts";
import { LayerNorm } from "./layer-norm.ts";

describe("LayerNorm", () => {
  it("computes torch's output and gradients", () =>
    expectModuleParity("layer_norm", (vs) => new LayerNorm(vs, 6)));
});
