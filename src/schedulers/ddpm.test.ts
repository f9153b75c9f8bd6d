import { describe, expect, it } from "vitest";
import { fullLoop, schedulerContract } from "../../test/contracts/scheduler.ts";
import { DdpmScheduler } from "./index.ts";

schedulerContract("ddpm", {
  stochastic: {},
  refused: [
    [{ thresholding: true }, /thresholding.*true.*must be false/],
    [{ variance_type: "learned" }, /variance_type.*"learned".*fixed_small/],
    [{ variance_type: "learned_range" }, /variance_type.*"learned_range"/],
    [{ variance_type: "fixed_large_log" }, /variance_type.*"fixed_large_log"/],
  ],
});

// Config and numbers of diffusers tests/schedulers/test_scheduler_ddpm.py.
const CONFIG = { beta_start: 0.0001, beta_end: 0.02, beta_schedule: "linear", clip_sample: true };

describe("ddpm: published numbers", () => {
  it("ends the full loop where diffusers does", () => {
    const { sum, mean } = fullLoop(new DdpmScheduler(CONFIG));
    expect(Math.abs(sum - 258.9606)).toBeLessThan(1e-2);
    expect(Math.abs(mean - 0.3372)).toBeLessThan(1e-3);
  });

  it("ends the v-prediction loop where diffusers does", () => {
    const { sum, mean } = fullLoop(new DdpmScheduler({ ...CONFIG, prediction_type: "v_prediction" }));
    expect(Math.abs(sum - 202.0296)).toBeLessThan(1e-2);
    expect(Math.abs(mean - 0.2631)).toBeLessThan(1e-3);
  });

  it("has the published variances", () => {
    const scheduler = new DdpmScheduler(CONFIG);
    expect(scheduler.variance(0)).toBeCloseTo(0, 5);
    expect(scheduler.variance(487)).toBeCloseTo(0.00979, 4);
    expect(scheduler.variance(999)).toBeCloseTo(0.02, 4);
  });

  it("names a timestep that is not being sampled", () => {
    const scheduler = new DdpmScheduler(CONFIG);
    scheduler.setTimesteps(10);
    expect(() => scheduler.variance(7)).toThrow(/Timestep 7 is not one of the 10/);
  });
});
