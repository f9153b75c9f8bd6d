import { describe, expect, it } from "vitest";
import { fullLoop, schedulerContract } from "../../test/contracts/scheduler.ts";
import { scope, zeros } from "../torch/index.ts";
import { EulerScheduler } from "./index.ts";

schedulerContract("euler", {
  stochastic: null,
  explodes: true,
  refused: [
    [{ use_exponential_sigmas: true }, /use_exponential_sigmas.*true.*must be false/],
    [{ use_beta_sigmas: true }, /use_beta_sigmas.*true.*must be false/],
    [{ interpolation_type: "cubic" }, /interpolation_type.*"cubic".*log_linear/],
    [{ timestep_type: "fractional" }, /timestep_type.*"fractional".*continuous/],
    [{ final_sigmas_type: "none" }, /final_sigmas_type.*"none".*sigma_min/],
    [{ sigma_min: "low" }, /sigma_min.*"low".*null or a number/],
    [{ use_karras_sigmas: null }, /use_karras_sigmas.*null.*boolean/],
  ],
});

// Config and numbers of diffusers tests/schedulers/test_scheduler_euler.py.
const CONFIG = { num_train_timesteps: 1100, beta_start: 0.0001, beta_end: 0.02, beta_schedule: "linear" };

describe("euler: published numbers", () => {
  it.each([
    [{}, undefined, 10.0807, 0.0131],
    [{ prediction_type: "v_prediction" }, undefined, 0.0002, 2.2676e-6],
    [{ use_karras_sigmas: true }, undefined, 124.523, 0.162139],
    [{}, 8, 57062.9297, 74.3007],
  ])("ends the full loop with %j from step %s where diffusers does", (options, from, sum, mean) => {
    const scheduler = new EulerScheduler({ ...CONFIG, ...options });
    scheduler.setTimesteps(10);
    const end = fullLoop(scheduler, { from });
    expect(Math.abs(end.sum - sum)).toBeLessThan(1e-2);
    expect(Math.abs(end.mean - mean)).toBeLessThan(1e-3);
  });
});

describe("euler", () => {
  it("wants the noise of its highest sigma, or the scaled one with leading spacing", () => {
    for (const timestep_spacing of ["leading", "linspace", "trailing"]) {
      const scheduler = new EulerScheduler({ timestep_spacing });
      for (const steps of [undefined, 1, 7]) {
        if (steps !== undefined) scheduler.setTimesteps(steps);
        const [highest] = scheduler.sigmas as [number];
        const expected = timestep_spacing === "leading" ? Math.hypot(highest, 1) : highest;
        expect(scheduler.initNoiseSigma / expected).toBeCloseTo(1, 6);
      }
    }
  });

  it("takes its timesteps in order only, from any of them", () => {
    const scheduler = new EulerScheduler();
    scheduler.setTimesteps(5);
    const [first, second, third] = scheduler.timesteps as [number, number, number];
    scope(() => {
      const x = zeros([1, 1, 2, 2]);
      expect(() => scheduler.step(x, 3, x)).toThrow(/Timestep 3 is not the next of the 5/);
      scheduler.step(x, second, x);
      expect(() => scheduler.scaleModelInput(x, first)).toThrow(
        new RegExp(`Timestep ${first} is not.*next one is ${third}.*reset`),
      );
      scheduler.step(x, third, x);
    });
  });
});
