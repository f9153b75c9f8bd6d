import { describe, expect, it } from "vitest";
import { nnGolden, relativeError } from "../../test/tensors.ts";
import { noGrad, scope } from "../torch/index.ts";
import { Ema, emaDecay } from "./ema.ts";
import type { EmaOptions } from "./ema.ts";
import type { Tensor } from "../torch/index.ts";

const golden = nnGolden("ema");
const cases: [string, EmaOptions][] = [
  ["plain", {}],
  ["warmup", { useWarmup: true, invGamma: 2, power: 0.75, updateAfterStep: 3, decay: 0.9, minDecay: 0.1 }],
];

describe("Ema", () => {
  it.each(cases)("%s: decays and averages are diffusers'", (name, options) => {
    scope(() => {
      const walk = golden.get("walk")!;
      const param = walk.select(0, 0).clone();
      const ema = new Ema([["w", param]], options);
      const decays = golden.get(`${name}.decays`)!.toNumbers();
      decays.forEach((decay, i) => {
        noGrad(() => param.copy_(walk.select(0, i)));
        ema.step();
        expect(emaDecay(ema.optimizationStep, options)).toBeCloseTo(decay, 14);
      });
      expect(relativeError(ema.stateDict().get("w")!, golden.get(name)!)).toBeLessThan(1e-6);
      ema.copyToParameters();
      expect(relativeError(param, golden.get(name)!)).toBeLessThan(1e-6);
      ema[Symbol.dispose]();
    });
  });

  describe("withAverages", () => {
    const make = (): [Tensor, Ema, number[]] => {
      const param = golden.get("walk")!.select(0, 0).clone();
      const ema = new Ema([["w", param]]);
      scope(() => {
        noGrad(() => param.copy_(golden.get("walk")!.select(0, 1)));
        ema.step();
        noGrad(() => param.mul_(1 / 3));
      });
      return [param, ema, param.toNumbers()];
    };

    it("shows the averages meanwhile and puts the parameters back bit by bit: sync, async, on throw", () =>
      scope(() => {
        const [param, ema, own] = make();
        const averages = ema.stateDict().get("w")!.toNumbers();
        expect(averages).not.toEqual(own);
        const unchanged = () => {
          expect(param.toNumbers()).toEqual(own);
          expect(ema.stateDict().get("w")!.toNumbers()).toEqual(averages);
        };
        expect(ema.withAverages(() => param.toNumbers())).toEqual(averages);
        unchanged();
        expect(() =>
          ema.withAverages(() => {
            throw new Error("stop");
          }),
        ).toThrow("stop");
        unchanged();
        ema[Symbol.dispose]();
      }));

    it("waits for asynchronous functions, also for those that fail", async () => {
      const [param, ema, own] = make();
      const averages = ema.stateDict().get("w")!.toNumbers();
      const seen = await ema.withAverages(async () => {
        await Promise.resolve();
        return param.toNumbers();
      });
      expect(seen).toEqual(averages);
      expect(param.toNumbers()).toEqual(own);
      const failing = ema.withAverages(() => Promise.reject(new Error("stop")));
      expect(param.toNumbers()).toEqual(averages);
      await expect(failing).rejects.toThrow("stop");
      expect(param.toNumbers()).toEqual(own);
      ema[Symbol.dispose]();
      param.dispose();
    });
  });
});
