import { describe, expect, it } from "vitest";
import { fullLoop, schedulerContract } from "../../test/contracts/scheduler.ts";
import { scope, zeros } from "../torch/index.ts";
import { PndmScheduler } from "./index.ts";

schedulerContract("pndm", {
  stochastic: null,
  predictionTypes: ["epsilon", "v_prediction"],
  variants: [{ skip_prk_steps: true }, { skip_prk_steps: false }],
  // It averages predictions of several timesteps, which are the same there only as noise.
  exact: { predictionTypes: ["epsilon"], spacings: ["leading"] },
  refused: [
    [{ prediction_type: "sample" }, /prediction_type.*"sample".*one of epsilon, v_prediction/],
    [{ skip_prk_steps: 1 }, /skip_prk_steps.*1.*boolean/],
  ],
});

// Config and numbers of diffusers tests/schedulers/test_scheduler_pndm.py.
const CONFIG = { beta_start: 0.0001, beta_end: 0.02, beta_schedule: "linear" };

describe("pndm: published numbers", () => {
  it.each([
    [{}, 198.1318, 0.258],
    [{ prediction_type: "v_prediction" }, 67.3986, 0.0878],
    [{ set_alpha_to_one: true, beta_start: 0.01 }, 230.0399, 0.2995],
    [{ set_alpha_to_one: false, beta_start: 0.01 }, 186.9482, 0.2434],
  ])("ends the full loop with %j where diffusers does", (options, sum, mean) => {
    const scheduler = new PndmScheduler({ ...CONFIG, ...options });
    scheduler.setTimesteps(10);
    const end = fullLoop(scheduler);
    expect(Math.abs(end.sum - sum)).toBeLessThan(1e-2);
    expect(Math.abs(end.mean - mean)).toBeLessThan(1e-3);
  });

  it("has the published Runge-Kutta timesteps", () => {
    const scheduler = new PndmScheduler({ ...CONFIG, steps_offset: 1 });
    scheduler.setTimesteps(10);
    expect(scheduler.timesteps).toEqual([
      901, 851, 851, 801, 801, 751, 751, 701, 701, 651, 651, 601, 601, 501, 401, 301, 201, 101, 1,
    ]);
  });
});

describe("pndm", () => {
  it("repeats the second timestep of a run without Runge-Kutta steps, if there is one", () => {
    const scheduler = new PndmScheduler({ skip_prk_steps: true, steps_offset: 1 });
    scheduler.setTimesteps(5);
    expect(scheduler.timesteps).toEqual([801, 601, 601, 401, 201, 1]);
    scheduler.setTimesteps(1);
    expect(scheduler.timesteps).toEqual([1]);
  });

  it("needs four steps for its Runge-Kutta steps, and timesteps before the first step", () => {
    expect(() => new PndmScheduler().setTimesteps(3)).toThrow(/skip_prk_steps false.*3 steps.*at least 4/);
    scope(() => {
      const x = zeros([1, 1, 2, 2]);
      expect(() => new PndmScheduler().step(x, 999, x)).toThrow(/call setTimesteps/);
    });
  });

  it("drops options that PNDM does not have", () => {
    const options = { rescale_betas_zero_snr: true, thresholding: true, use_karras_sigmas: true };
    const scheduler = new PndmScheduler({ ...CONFIG, ...options });
    expect(scheduler.config).not.toHaveProperty("thresholding");
    expect(scheduler.alphasCumprod).toEqual(new PndmScheduler(CONFIG).alphasCumprod);
    expect(scheduler.toJSON()).toMatchObject(options);
  });
});
