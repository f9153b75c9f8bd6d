import { describe, expect, it } from "vitest";
import { scope, type Tensor, tensor } from "../torch/index.ts";
import { chain } from "./index.ts";

describe("chain", () => {
  it("applies the steps in turn and releases what lies between, but not the input", () => {
    scope(() => {
      const seen: Tensor[] = [];
      const step = (factor: number) => (xs: Tensor) => {
        seen.push(xs);
        return xs.mul(factor);
      };
      const input = tensor([1, 2]);
      const out = chain(input, [step(2), step(3), step(4)]);
      expect(out.toNumbers()).toEqual([24, 48]);
      expect(seen.map(({ disposed }) => disposed)).toEqual([false, true, true]);
    });
  });

  it("keeps what a step passes through, and the input when there are no steps", () => {
    scope(() => {
      const input = tensor([1]);
      expect(chain(input, [])).toBe(input);
      const out = chain(input, [(xs) => xs.add(1), (xs) => xs]);
      expect(out.toNumbers()).toEqual([2]);
    });
  });

  it("leaves autograd what it needs", () => {
    scope(() => {
      const input = tensor([3]).requiresGrad_();
      chain(input, [(xs) => xs.square(), (xs) => xs.square(), (xs) => xs.sum()]).backward();
      expect(input.grad!.item()).toBe(4 * 27);
    });
  });
});
