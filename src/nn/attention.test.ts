import { describe, expect, it } from "vitest";
import { nnGolden, relativeError } from "../../test/tensors.ts";
import { scope } from "../torch/index.ts";
import { multiHeadAttention } from "./attention.ts";

describe("multiHeadAttention", () => {
  it.each([
    ["attention", false],
    ["attention_causal", true],
  ])("%s equals the written-out softmax, with gradients", (name, isCausal) => {
    const golden = nnGolden(name);
    scope(() => {
      const inputs = ["query", "key", "value"].map((key) => golden.get(key)!.requiresGrad_());
      const out = multiHeadAttention(inputs[0]!, inputs[1]!, inputs[2]!, { heads: 2, isCausal });
      out.backward(golden.get("cotangent"));
      expect(relativeError(out, golden.get("out")!)).toBeLessThan(1e-6);
      ["query", "key", "value"].forEach((key, i) => {
        expect(relativeError(inputs[i]!.grad!, golden.get(`grad.${key}`)!)).toBeLessThan(2e-6);
      });
    });
  });
});
