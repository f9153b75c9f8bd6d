import { describe, expect, it } from "vitest";
import { scope, tensor } from "../torch/index.ts";
import { clipGradNorm_ } from "./clip-grad.ts";

describe("clipGradNorm_", () => {
  it("scales to the norm of all gradients together, and only downwards", () => {
    scope(() => {
      const params = [
        tensor([0, 0]).requiresGrad_(),
        tensor([0]).requiresGrad_(),
        tensor([1]).requiresGrad_(),
      ];
      params[0]!.grad = tensor([3, 0]);
      params[1]!.grad = tensor([4]);
      expect(clipGradNorm_(params, 10)).toBe(5);
      expect(params[0]!.grad.toNumbers()).toEqual([3, 0]);
      expect(clipGradNorm_(params, 1)).toBe(5);
      expect(params[0]!.grad.toNumbers()[0]).toBeCloseTo(0.6, 6);
      expect(params[1]!.grad.toNumbers()[0]).toBeCloseTo(0.8, 6);
      expect(params[2]!.grad).toBeUndefined();
    });
  });

  it("is 0 without gradients", () => expect(clipGradNorm_([], 1)).toBe(0));
});
