import { describe, expect, it } from "vitest";
import { alphasCumprodOf, makeBetas, rescaleZeroTerminalSnr } from "./betas.ts";

// diffusers 0.40 DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule=...).alphas_cumprod[[0, 250, 500, 999]],
// the second row with rescale_betas_zero_snr=True; printed by float32 .tolist().
const EXPECTED: Record<string, [number[], number[]]> = {
  linear: [
    [0.9991499781608582, 0.5687880516052246, 0.16077162325382233, 0.0015789627796038985],
    [0.9991499781608582, 0.5535680055618286, 0.14151263236999512, 0.0],
  ],
  scaled_linear: [
    [0.9991499781608582, 0.67379230260849, 0.27633246779441833, 0.00466009508818388],
    [0.9991499781608582, 0.6524567604064941, 0.2410186380147934, 0.0],
  ],
  squaredcos_cap_v2: [
    [0.9999586939811707, 0.8458880186080933, 0.4922850430011749, 2.4287349909002387e-9],
    [0.999958872795105, 0.8458812236785889, 0.4922650456428528, 0.0],
  ],
};

describe("beta schedules", () => {
  it.each(["linear", "scaled_linear", "squaredcos_cap_v2"] as const)("%s", (schedule) => {
    const betas = makeBetas(schedule, 0.00085, 0.012, 1000);
    const pick = (values: number[]) => [0, 250, 500, 999].map((i) => values[i]!);
    const [plain, rescaled] = EXPECTED[schedule]!;
    pick(alphasCumprodOf(betas)).forEach((value, i) => expect(value / plain[i]!).toBeCloseTo(1, 6));
    pick(alphasCumprodOf(rescaleZeroTerminalSnr(betas))).forEach((value, i) =>
      expect(value).toBeCloseTo(rescaled[i]!, 6),
    );
  });

  it("has no zero but the intended ones in the cosine schedule", () => {
    expect(makeBetas("squaredcos_cap_v2", 0, 0, 1000).every((beta) => beta > 0 && beta <= 0.9991)).toBe(true);
  });
});
