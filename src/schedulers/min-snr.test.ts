import { describe, expect, it } from "vitest";

import { golden } from "../../test/golden-dir.ts";
import { loadScheduler, minSnrWeights } from "./index.ts";

describe("minSnrWeights", () => {
  const scheduler = (prediction_type: string) =>
    loadScheduler(golden("tiny-sd1/scheduler"), { as: "ddpm", options: { prediction_type } });

  it.each([
    ["epsilon", (snr: number) => Math.min(snr, 5) / snr],
    ["v_prediction", (snr: number) => Math.min(snr, 5) / (snr + 1)],
    ["sample", (snr: number) => Math.min(snr, 5)],
  ] as const)("of %s", (type, weight) => {
    const noise = scheduler(type);
    const weights = minSnrWeights(noise, 5).toNumbers();
    noise.alphasCumprod.forEach((product, t) =>
      expect(weights[t]).toBeCloseTo(weight(product / (1 - product)), 5),
    );
    expect(weights[0]).toBeLessThan(weights[type === "sample" ? 0 : 600]! + 1e-6);
  });
});
