import { describe, expect, it } from "vitest";
import { expectModuleParity, nnGolden, relativeError } from "../../test/tensors.ts";
import { scope, tensor } from "../torch/index.ts";
import { ParamStore } from "./param-store.ts";
import { SinusoidalTimesteps, TimestepEmbedding } from "./timestep-embedding.ts";

describe("SinusoidalTimesteps", () => {
  it.each([
    [16, true, 0],
    [16, false, 1],
    [17, true, 0],
  ])("dimension %i, flip_sin_to_cos %s, freq_shift %i", (dim, flipSinToCos, downscaleFreqShift) => {
    const golden = nnGolden("sinusoid").get(`${dim}.${Number(flipSinToCos)}.${downscaleFreqShift}`)!;
    scope(() => {
      const module = new SinusoidalTimesteps(ParamStore.seeded(), dim, { flipSinToCos, downscaleFreqShift });
      expect(relativeError(module.forward(tensor([0, 1, 7.5, 500, 999])), golden)).toBeLessThan(1e-6);
    });
  });
});

describe("TimestepEmbedding", () => {
  it("computes diffusers' output and gradients", () =>
    expectModuleParity("timestep_embedding", (vs) => new TimestepEmbedding(vs, 6, 8)));
});
