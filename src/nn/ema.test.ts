import { describe, expect, it } from "vitest";
import { nnGolden, relativeError } from "../../test/tensors.ts";
import { noGrad, scope } from "../torch/index.ts";
import { Ema, emaDecay } from "./ema.ts";
import type { EmaOptions } from "./ema.ts";

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
});
