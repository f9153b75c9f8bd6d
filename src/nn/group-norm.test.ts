import { describe, expect, it } from "vitest";
import { expectModuleParity } from "../../test/tensors.ts";
import { ConfigError, Generator, groupNorm, randn, scope, type Tensor, tensorCount } from "../torch/index.ts";
import { activation, silu } from "./activations.ts";
import { GroupNorm } from "./group-norm.ts";
import { buildFromTensors, ParamStore } from "./param-store.ts";

describe("GroupNorm", () => {
  it("computes torch's output and gradients", () =>
    expectModuleParity("group_norm", (vs) => new GroupNorm(vs, 2, 6, { eps: 1e-6 })));

  it("refuses groups that do not divide the channels", () => {
    expect(() => new GroupNorm(ParamStore.shapesOnly().at("norm1"), 4, 6)).toThrow(ConfigError);
    expect(() => new GroupNorm(ParamStore.shapesOnly().at("norm1"), 4, 6)).toThrow(
      /norm1: 6 channels .* 4 groups/,
    );
  });

  describe("followed by an activation", () => {
    const draw = (shape: readonly number[], seed: number) =>
      randn(shape, { generator: new Generator().manualSeed(seed) });
    const parameters = new Map([
      ["weight", draw([6], 1)],
      ["bias", draw([6], 2)],
    ]);
    const norm = buildFromTensors(parameters, (vs) => new GroupNorm(vs, 2, 6));
    const numbers = (xs: Tensor) => [...xs.toArray()];

    /** Output and gradients of `fn` at the same input. */
    const run = (fn: (xs: Tensor) => Tensor) =>
      scope(() => {
        const xs = draw([2, 6, 4, 4], 3).requiresGrad_();
        norm.zeroGrad();
        const out = fn(xs);
        out.backward(draw([2, 6, 4, 4], 4));
        return [out, xs.grad!, norm.weight.value.grad!, norm.bias.value.grad!].map(numbers);
      });
    const plain = (xs: Tensor) => groupNorm(xs, 2, norm.weight.value, norm.bias.value, norm.eps);

    it("gives the bits of one after the other, forward and backward", () => {
      expect(run((xs) => norm.forward(xs, { silu: true }))).toEqual(run((xs) => plain(xs).silu()));
      expect(run((xs) => norm.forwardThen(xs, silu))).toEqual(run((xs) => plain(xs).silu()));
      expect(run((xs) => norm.forwardThen(xs, activation("swish")))).toEqual(run((xs) => plain(xs).silu()));
      expect(run((xs) => norm.forwardThen(xs, activation("gelu")))).toEqual(run((xs) => plain(xs).gelu()));
      expect(run((xs) => norm.forward(xs))).toEqual(run(plain));
    });

    it("releases what lies between", () => {
      using xs = draw([2, 6, 4, 4], 3);
      const before = tensorCount();
      using one = norm.forward(xs, { silu: true });
      using two = norm.forwardThen(xs, activation("relu"));
      expect([tensorCount() - before, one.ndim, two.ndim]).toEqual([2, 4, 4]);
    });
  });
});
