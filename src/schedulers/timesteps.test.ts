import { describe, expect, it } from "vitest";
import { solverTimesteps, spacedTimesteps } from "./timesteps.ts";

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

  it("rounds as numpy does where its arange is not exact: 1000 / 48", () => {
    const timesteps = spacedTimesteps("trailing", 48, { trainTimesteps: 1000, stepsOffset: 0 });
    expect(timesteps.slice(0, 5)).toEqual([999, 978, 957, 936, 916]);
  });

  it("stops at the number of steps, where numpy's arange goes one further", () => {
    for (const steps of [61, 103, 1000]) {
      const timesteps = spacedTimesteps("trailing", steps, { trainTimesteps: 1000, stepsOffset: 0 });
      expect(timesteps.length).toBe(steps);
      expect(timesteps.at(-1)).toBe(Math.round(1000 / steps) - 1);
    }
  });

  // numpy 2.4, through diffusers' DPMSolverMultistepScheduler.set_timesteps.
  it.each([
    ["leading", 4, 1000, [801, 601, 401, 201]],
    ["linspace", 4, 1000, [999, 749, 500, 250]],
    ["trailing", 4, 1000, [999, 749, 499, 249]],
    ["linspace", 4, 990, [989, 742, 494, 247]],
    ["trailing", 3, 667, [666, 333]],
  ] as const)("%s in %d solver steps below %d", (spacing, steps, end, expected) => {
    const options = { trainTimesteps: 1000, stepsOffset: 1, end };
    expect(solverTimesteps(spacing, steps, options)).toEqual(expected);
  });
});
