import { readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { golden } from "../../test/golden-dir.ts";
import { readSafetensors } from "../checkpoint/index.ts";
import { scope, ShapeError, tensor } from "../torch/index.ts";
import { groupObjective } from "./objective.ts";
import { perSampleLoss } from "./per-sample-loss.ts";

interface Case {
  case: number;
  lambda: number;
  loss: number;
  mean: number;
  var: number;
}

const cases = JSON.parse(readFileSync(golden("objective.json"), "utf8")) as Case[];
const fixtures = readSafetensors(golden("objective.safetensors"));

describe("groupObjective", () => {
  it.each(cases)("case $case equals the published objective, with its gradient", (expected) => {
    scope(() => {
      const at = (name: string) => fixtures.get(`${expected.case}.${name}`)!;
      const prediction = at("prediction").clone().requiresGrad_();
      const losses = perSampleLoss(prediction, at("target"));
      const { loss, mean, variance } = groupObjective(losses, at("groups"), expected.lambda);
      loss.backward();
      expect(Math.abs(loss.item() - expected.loss)).toBeLessThan(1e-6 * Math.max(1, expected.loss));
      expect(Math.abs(mean.item() - expected.mean)).toBeLessThan(1e-6 * Math.max(1, expected.mean));
      expect(Math.abs(variance.item() - expected.var)).toBeLessThan(1e-6);
      expect(prediction.grad!.sub(at("grad")).abs().max().item()).toBeLessThan(1e-6);
    });
  });

  it("leaves absent groups out by their weight, not by their loss", () => {
    scope(() => {
      // Group 2 is present with a loss of zero: the reference would drop it.
      const losses = tensor([2, 4, 0]);
      const weights = tensor([
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 1, 0],
      ]);
      const { mean, variance, groupLosses } = groupObjective(losses, weights, 1);
      expect(groupLosses.toNumbers()).toEqual([2, 4, 0]);
      expect(mean.item()).toBe(2);
      expect(variance.item()).toBe(4);
    });
  });

  it("is the mean alone when one group is present", () => {
    scope(() => expect(groupObjective(tensor([1, 3]), tensor([[1], [1]]), 5).loss.item()).toBe(2));
  });

  it("refuses sizes that do not fit", () => {
    scope(() => expect(() => groupObjective(tensor([1, 2]), tensor([[1]]), 1)).toThrow(ShapeError));
  });
});
