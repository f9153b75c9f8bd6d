import { describe, expect, it } from "vitest";
import { spacedTimesteps } from "./timesteps.ts";

// numpy 2.4: table 2 of arXiv 2305.08891 through diffusers' DDIMScheduler.set_timesteps.
describe("spaced timesteps", () => {
  it.each([
    ["leading", 10, [900, 800, 700, 600, 500, 400, 300, 200, 100, 0]],
    ["trailing", 7, [999, 856, 713, 570, 428, 285, 142]],
    ["linspace", 5, [999, 749, 500, 250, 0]],
    ["linspace", 1, [0]],
  ] as const)("%s in %d steps", (spacing, steps, expected) => {
    expect(spacedTimesteps(spacing, steps, { trainTimesteps: 1000, stepsOffset: 0 })).toEqual(expected);
  });

  it("rounds halves to even: 1000 / 400 = 2.5", () => {
    const timesteps = spacedTimesteps("trailing", 400, { trainTimesteps: 1000, stepsOffset: 0 });
    expect(timesteps.slice(0, 5)).toEqual([999, 997, 994, 991, 989]);
  });
});
