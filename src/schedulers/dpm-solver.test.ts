import { describe, expect, it } from "vitest";
import { fullLoop, schedulerContract } from "../../test/contracts/scheduler.ts";
import { DpmSolverScheduler } from "./index.ts";

const refused: [Record<string, unknown>, RegExp][] = [
  [{ thresholding: true }, /thresholding.*true.*must be false/],
  [{ use_exponential_sigmas: true }, /use_exponential_sigmas.*true.*must be false/],
  [{ use_beta_sigmas: true }, /use_beta_sigmas.*true.*must be false/],
  [{ use_lu_lambdas: true }, /use_lu_lambdas.*true.*must be false/],
  [{ use_flow_sigmas: true }, /use_flow_sigmas.*true.*must be false/],
  [{ use_dynamic_shifting: true }, /use_dynamic_shifting.*true.*must be false/],
  [{ variance_type: "learned_range" }, /variance_type.*"learned_range"/],
  [{ solver_order: 4 }, /solver_order.*4.*1, 2, 3/],
  [{ solver_type: "euler" }, /solver_type.*"euler".*midpoint, heun/],
  [{ algorithm_type: "unipc" }, /algorithm_type.*"unipc".*sde-dpmsolver/],
  [{ algorithm_type: "dpmsolver" }, /final_sigmas_type.*"zero".*"sigma_min" with algorithm_type "dpmsolver"/],
  [
    { algorithm_type: "sde-dpmsolver", solver_order: 3, final_sigmas_type: "sigma_min" },
    /solver_order.*3.*1 or 2 with algorithm_type "sde-dpmsolver"/,
  ],
  [{ lambda_min_clipped: null }, /lambda_min_clipped.*null.*number/],
];

schedulerContract("dpmsolver++", {
  stochastic: { algorithm_type: "sde-dpmsolver++" },
  variants: [{ solver_order: 1 }, { solver_order: 2 }, { solver_order: 3, prediction_type: "sample" }],
  refused,
});

// Config and numbers of diffusers tests/schedulers/test_scheduler_dpm_multi.py.
const CONFIG = {
  beta_start: 0.0001,
  beta_end: 0.02,
  beta_schedule: "linear",
  lower_order_final: false,
  final_sigmas_type: "sigma_min",
};

describe("dpmsolver++: published numbers", () => {
  it.each([
    [{}, undefined, 0.3301],
    [{}, 5, 0.4146],
    [{ prediction_type: "v_prediction" }, undefined, 0.2251],
    [{ prediction_type: "v_prediction", use_karras_sigmas: true }, undefined, 0.2096],
  ])("ends the full loop with %j from step %s where diffusers does", (options, from, mean) => {
    const scheduler = new DpmSolverScheduler({ ...CONFIG, ...options });
    scheduler.setTimesteps(10);
    expect(Math.abs(fullLoop(scheduler, { from }).mean - mean)).toBeLessThan(1e-3);
  });
});

describe("dpmsolver++", () => {
  it("samples fewer timesteps where lambda_min_clipped cuts the noisiest off, and says so when none are left", () => {
    const options = { beta_schedule: "squaredcos_cap_v2", timestep_spacing: "trailing" };
    const clipped = new DpmSolverScheduler({ ...options, lambda_min_clipped: -1 });
    clipped.setTimesteps(10);
    expect(clipped.timesteps.length).toBeLessThan(10);
    const lambda = Math.log(1 / clipped.sigmas[0]!);
    expect(lambda).toBeGreaterThan(-1);
    expect(lambda).toBeLessThan(-0.9);
    const nothing = new DpmSolverScheduler({ ...options, lambda_min_clipped: 20 });
    expect(() => nothing.setTimesteps(10)).toThrow(/10 steps.*trailing/);
  });

  it("reads what related schedulers call their solvers", () => {
    const { config } = new DpmSolverScheduler({ algorithm_type: "deis", solver_type: "bh2" });
    expect(config).toMatchObject({ algorithm_type: "dpmsolver++", solver_type: "midpoint" });
  });
});
