import { describe, expect, it } from "vitest";
import { fullLoop, schedulerContract } from "../../test/contracts/scheduler.ts";
import { DdimScheduler } from "./index.ts";

schedulerContract("ddim", {
  stochastic: {},
  refused: [[{ thresholding: true }, /thresholding.*true.*must be false/]],
});

// Config and numbers of diffusers tests/schedulers/test_scheduler_ddim.py (variances with one more digit, from the same source).
const CONFIG = { beta_start: 0.0001, beta_end: 0.02, beta_schedule: "linear", clip_sample: true };

describe("ddim: published numbers", () => {
  it.each([
    [{}, 172.0067, 0.223967],
    [{ prediction_type: "v_prediction" }, 52.5302, 0.0684],
    [{ set_alpha_to_one: true, beta_start: 0.01 }, 149.8295, 0.1951],
    [{ set_alpha_to_one: false, beta_start: 0.01 }, 149.0784, 0.1941],
  ])("ends the full loop with %j where diffusers does", (options, sum, mean) => {
    const scheduler = new DdimScheduler({ ...CONFIG, ...options });
    scheduler.setTimesteps(10);
    const end = fullLoop(scheduler);
    expect(Math.abs(end.sum - sum)).toBeLessThan(1e-2);
    expect(Math.abs(end.mean - mean)).toBeLessThan(1e-3);
  });

  it.each([
    [0, 0, 0],
    [420, 400, 0.147719],
    [980, 960, 0.324605],
    [487, 486, 0.00979],
    [999, 998, 0.02],
  ])("has the published variance between %d and %d", (timestep, previous, variance) => {
    expect(new DdimScheduler(CONFIG).variance(timestep, previous)).toBeCloseTo(variance, 5);
  });
});
