import { describe, expect, it } from "vitest";
import { nnGolden, relativeError } from "../../test/tensors.ts";
import { ConfigError, scope } from "../torch/index.ts";
import { activation } from "./activations.ts";

describe("activation", () => {
  it.each(["silu", "gelu", "gelu_new", "quick_gelu", "relu", "tanh"])("%s and its gradient", (name) => {
    const golden = nnGolden(`act.${name}`);
    scope(() => {
      const xs = golden.get("x")!.requiresGrad_();
      const out = activation(name)(xs);
      out.backward(golden.get("cotangent"));
      expect(relativeError(out, golden.get("out")!)).toBeLessThan(1e-6);
      expect(relativeError(xs.grad!, golden.get("grad.x")!)).toBeLessThan(1e-6);
    });
  });

  it("names the option and the known functions when asked for an unknown one", () => {
    expect(() => activation("mish", "act_fn")).toThrow(ConfigError);
    expect(() => activation("mish", "act_fn")).toThrow(/act_fn: unknown activation "mish".*silu/);
    expect(() => activation("toString")).toThrow(ConfigError);
  });
});
