// Every scheduler against diffusers: whole sampling runs and the forward process. Goldens: schedulers.{json,safetensors}.
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { readSafetensors } from "../../src/checkpoint/index.ts";
import { makeScheduler, SCHEDULERS, type SchedulerName } from "../../src/schedulers/index.ts";
import { Generator, scope, type Tensor, tensor } from "../../src/torch/index.ts";
import { closedFormModel, maxDifference, scaledError } from "../contracts/scheduler.ts";
import { golden } from "../golden-dir.ts";
import { within } from "./within.ts";

interface GoldenFile {
  ddpm_generator_seed: number;
  config: Record<string, unknown>;
  runs: { key: string; scheduler: string; prediction_type: string; steps: number }[];
}

const file = JSON.parse(readFileSync(golden("schedulers.json"), "utf8")) as GoldenFile;
const tensors = readSafetensors(golden("schedulers.safetensors"));
const at = (key: string): Tensor => tensors.get(key)!;
afterAll(() => tensors.forEach((tensor) => tensor.dispose()));

/** What the generator of the goldens gave each class beside the shared config. */
const OPTIONS: Readonly<Record<string, Record<string, unknown>>> = {
  ddim: { set_alpha_to_one: false },
  pndm: { set_alpha_to_one: false, skip_prk_steps: true },
};
const make = (name: string, options: Record<string, unknown> = {}) =>
  makeScheduler(name as SchedulerName, { ...file.config, ...OPTIONS[name], ...options });

const worst = (a: readonly number[], b: readonly number[]): number => {
  expect(a.length).toBe(b.length);
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
};

describe("sampling runs", () => {
  it("are there for every scheduler", () => {
    expect(new Set(file.runs.map((run) => run.scheduler))).toEqual(new Set(Object.keys(SCHEDULERS)));
  });

  it.each(file.runs)("$key", ({ key, scheduler: name, prediction_type, steps }) => {
    using scheduler = make(name, { prediction_type });
    scheduler.setTimesteps(steps);
    const timesteps = at(`${key}.timesteps`).toNumbers();
    within(`schedulers: ${name} timesteps`, key, worst(scheduler.timesteps, timesteps), 0);
    scope(() => {
      const generator = new Generator().manualSeed(file.ddpm_generator_seed);
      let sample = at("sample").mul(scheduler.initNoiseSigma);
      // Relative above 1: states reach 36, where a float32 unit is 4e-6, and on another CPU than the fixture's libtorch
      // takes other roots; diffusers itself is then 1.05e-5 away (ddim.epsilon.25 at 12.3).
      const compare = (expected: Tensor, where: string) =>
        within(`schedulers: ${name} states`, `${key}, ${where}`, scaledError(sample, expected), 1e-5);
      for (const [i, t] of scheduler.timesteps.entries()) {
        const output = closedFormModel(scheduler.scaleModelInput(sample, t), t);
        sample = scheduler.step(output, t, sample, { generator });
        const state = tensors.get(`${key}.after${i}`);
        if (state) compare(state, `step ${i}`);
      }
      compare(at(`${key}.final`), "end");
    });
  });
});

describe.each(Object.keys(SCHEDULERS))("%s: forward process", (name) => {
  it("has diffusers' alphas_cumprod and signal-to-noise ratios", () => {
    const scheduler = make(name);
    const alphas = at("alphas_cumprod").toNumbers();
    within("schedulers: alphas_cumprod", name, worst(scheduler.alphasCumprod, alphas), 0);
    const relative = at("snr")
      .toNumbers()
      .map((snr, t) => Math.abs(scheduler.snr(t) / snr - 1));
    within("schedulers: SNR (relative)", name, Math.max(...relative), 1e-5);
  });

  it("has diffusers' noisy latents and velocities, timesteps as numbers or as a tensor", () => {
    const scheduler = make(name);
    const timesteps = at("add_noise.timesteps");
    const [x, noise] = [at("sample"), at("add_noise.noise")];
    // Euler's noisy latents keep the signal at 1; scaled for the denoiser they are everyone else's.
    const signal = timesteps
      .toNumbers()
      .map((t) => (name === "euler" ? Math.sqrt(scheduler.alphasCumprod[t]!) : 1));
    for (const t of [timesteps, timesteps.toNumbers()]) {
      scope(() => {
        const noisy = scheduler.addNoise(x, noise, t).mul(tensor(signal, { shape: [2, 1, 1, 1] }));
        within("schedulers: add_noise", name, maxDifference(noisy, at("add_noise.out")), 1e-6);
        const velocity = scheduler.getVelocity(x, noise, t);
        within("schedulers: velocity", name, maxDifference(velocity, at("velocity.out")), 1e-6);
      });
    }
  });
});
