import { describe, expect, it } from "vitest";
import { settledTensorCount } from "../../test/settled.ts";
import { nnGolden, relativeError } from "../../test/tensors.ts";
import { CheckpointError, scope, tensorCount } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";
import { AdamW } from "./adamw.ts";
import { clipGradNorm_ } from "./clip-grad.ts";

const golden = nnGolden("adamw");
const options = { lr: 1e-2, betas: [0.9, 0.99], eps: 1e-8, weightDecay: 0.05 } as const;
const start = (): [string, Tensor][] =>
  ["a", "b"].map((key) => [key, golden.get(`start.${key}`)!.detach().clone().requiresGrad_()]);

/** The steps of tools/golden/nn.py: b has no gradient at every third step. */
function run(named: [string, Tensor][], optimizer: AdamW, from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, n) =>
    scope(() => {
      const i = from + n;
      for (const [key, param] of named) {
        const absent = key === "b" && i % 3 === 2;
        param.grad = absent ? undefined : golden.get(`grads.${key}`)!.select(0, i).clone();
      }
      optimizer.lr = 1e-2 / (1 + 0.1 * i);
      const norm = clipGradNorm_(
        named.map(([, param]) => param),
        3,
      );
      optimizer.step();
      return norm;
    }),
  );
}

describe("AdamW with clipGradNorm_", () => {
  it("is torch's after 20 steps: parameters, moments, step counts, norms", () => {
    const named = start();
    const optimizer = new AdamW(named, options);
    const norms = run(named, optimizer, 0, 20);
    golden
      .get("norms")!
      .toNumbers()
      .forEach((norm, i) => expect(norms[i]).toBeCloseTo(norm, 5));
    const state = optimizer.stateDict();
    for (const [key, param] of named) {
      expect(relativeError(param, golden.get(`end.${key}`)!)).toBeLessThan(1e-6);
      for (const part of ["exp_avg", "exp_avg_sq", "step"]) {
        expect(relativeError(state.get(`${part}.${key}`)!, golden.get(`${part}.${key}`)!)).toBeLessThan(1e-6);
      }
    }
  });

  it("goes on exactly from a saved state", () => {
    const first = start();
    const optimizer = new AdamW(first, options);
    run(first, optimizer, 0, 8);
    const resumed: [string, Tensor][] = first.map(([key, param]) => [
      key,
      param.detach().clone().requiresGrad_(),
    ]);
    const second = new AdamW(resumed, options);
    second.loadStateDict(optimizer.stateDict());
    run(first, optimizer, 8, 20);
    run(resumed, second, 8, 20);
    first.forEach(([, param], i) => expect(resumed[i]![1].toNumbers()).toEqual(param.toNumbers()));
  });

  it("refuses the state of other parameters", () => {
    const optimizer = new AdamW(start());
    expect(() => optimizer.loadStateDict(new Map([["exp_avg.c", golden.get("norms")!]]))).toThrow(
      CheckpointError,
    );
  });

  it("keeps each group's own options and their ratio of rates", () => {
    scope(() => {
      const [a, b] = start() as [[string, Tensor], [string, Tensor]];
      const optimizer = new AdamW([
        { parameters: [a], lr: 1e-2, weightDecay: 0 },
        { parameters: [b], lr: 1e-3, weightDecay: 0 },
      ]);
      optimizer.lr = 2e-2;
      const before = [a, b].map(([, param]) => param.toNumbers());
      for (const [, param] of [a, b]) param.grad = param.onesLike();
      optimizer.step();
      // The first step of Adam moves every value by the learning rate.
      [2e-2, 2e-3].forEach((lr, i) => {
        const now = [a, b][i]![1].toNumbers();
        now.forEach((value, j) => expect(before[i]![j]! - value).toBeCloseTo(lr, 6));
      });
      optimizer[Symbol.dispose]();
    });
  });

  it("holds the same number of tensors after step 2 and step 20", () => {
    const named = start();
    const optimizer = new AdamW(named, options);
    run(named, optimizer, 0, 2);
    optimizer.zeroGrad();
    const count = settledTensorCount();
    run(named, optimizer, 2, 20);
    optimizer.zeroGrad();
    expect(tensorCount()).toBe(count);
    optimizer[Symbol.dispose]();
    expect(tensorCount()).toBe(count - 6);
  });
});
