import { describe, expect, it } from "vitest";
import { expectModuleParity } from "../../test/tensors.ts";
import { ConfigError } from "../torch/index.ts";
import { GroupNorm } from "./group-norm.ts";
import { ParamStore } from "./param-store.ts";

describe("GroupNorm", () => {
  it("computes torch's output and gradients", () =>
    expectModuleParity("group_norm", (vs) => new GroupNorm(vs, 2, 6, { eps: 1e-6 })));

  it("refuses groups that do not divide the channels", () => {
    expect(() => new GroupNorm(ParamStore.shapesOnly().at("norm1"), 4, 6)).toThrow(ConfigError);
    expect(() => new GroupNorm(ParamStore.shapesOnly().at("norm1"), 4, 6)).toThrow(
      /norm1: 6 channels .* 4 groups/,
    );
  });
});
