import { readFileSync } from "node:fs";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { golden } from "../../test/golden-dir.ts";
import { readSafetensors } from "../checkpoint/index.ts";
import { Generator, rand, scope, ShapeError, tensor, zeros } from "../torch/index.ts";
import { groupObjective, groupsObjective } from "./objective.ts";
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
      const { mean, variance, groupLosses, present } = groupObjective(losses, weights, 1);
      expect(groupLosses.toNumbers()).toEqual([2, 4, 0, 0]);
      expect(present.toNumbers()).toEqual([1, 1, 1, 0]);
      expect(mean.item()).toBe(2);
      expect(variance.item()).toBe(4);
    });
  });

  it("is the mean alone when one group is present", () => {
    scope(() => expect(groupObjective(tensor([1, 3]), tensor([[1], [1]]), 5).loss.item()).toBe(2));
  });

  it("is that of the present groups alone, with its gradient, whichever are absent", () => {
    const some = fc.uniqueArray(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 6 });
    const seeds = fc.integer({ min: 0, max: 1e6 });
    fc.assert(
      fc.property(some, seeds, fc.integer({ min: 1, max: 9 }), (groups, seed, batch) =>
        scope(() => {
          const generator = new Generator().manualSeed(seed);
          const own = rand([batch, groups.length], { generator }).add(0.01);
          const dense = own.div(own.sum([1], true));
          const sparse = zeros([batch, 6]).indexCopy_(1, tensor(groups, { dtype: "int64" }), dense);
          const losses = rand([batch], { generator });
          const [one, other] = [dense, sparse].map((weights) => {
            const leaf = losses.clone().requiresGrad_();
            const { loss, mean, variance } = groupObjective(leaf, weights, 0.7);
            loss.backward();
            return [...[loss, mean, variance].map((value) => value.item()), ...leaf.grad!.toNumbers()];
          });
          one!.forEach((value, i) => expect(Math.abs(value - other![i]!)).toBeLessThan(1e-6));
        }),
      ),
      { seed: 11, numRuns: 60 },
    );
  });

  it("refuses sizes that do not fit", () => {
    scope(() => expect(() => groupObjective(tensor([1, 2]), tensor([[1]]), 1)).toThrow(ShapeError));
  });
});

describe("groupsObjective", () => {
  it("knows the weights of the images of a batch and names what it tells", () => {
    scope(() => {
      const weights = Float32Array.of(1, 0, 0, 0, 1, 0, 0.5, 0.5, 0);
      const objective = groupsObjective({ weights, count: 3, lambda: 2 });
      const own = objective.weightsOf!(Int32Array.of(1, 0, 1));
      expect(own.shape).toEqual([3, 3]);
      expect(own.toNumbers()).toEqual([0, 1, 0, 1, 0, 0, 0, 1, 0]);
      const { loss, told } = objective.of(tensor([2, 7, 4]), own);
      expect(objective.read!(told!.toNumbers())).toEqual({
        ...{ mean: 5, variance: 8 },
        groupLosses: new Map([
          [0, 7],
          [1, 3],
        ]),
      });
      expect(loss.item()).toBe(5 + 2 * 8);
    });
  });
});
