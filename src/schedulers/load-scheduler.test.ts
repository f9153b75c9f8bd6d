import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { CheckpointError, ConfigError } from "../torch/index.ts";
import {
  DdimScheduler,
  DdpmScheduler,
  DpmSolverScheduler,
  loadScheduler,
  makeScheduler,
  PndmScheduler,
  saveScheduler,
  type SchedulerName,
  switchScheduler,
} from "./index.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "scheduler-"))));
afterEach(() => rmSync(folder, { recursive: true }));

describe("scheduler_config.json", () => {
  it("is read from a diffusers folder", () => {
    const scheduler = loadScheduler(golden("tiny-sd2/scheduler"));
    expect(scheduler).toBeInstanceOf(DdimScheduler);
    expect(scheduler.config).toMatchObject({
      prediction_type: "v_prediction",
      steps_offset: 1,
      clip_sample: false,
    });
    expect(scheduler.alphasCumprod[999]).toBeCloseTo(0.00466, 5);
  });

  it("makes another scheduler on the same schedule", () => {
    const scheduler = loadScheduler(golden("tiny-sd1/scheduler"), { as: "ddpm" });
    expect(scheduler).toBeInstanceOf(DdpmScheduler);
    expect(scheduler.config).toMatchObject({ beta_schedule: "scaled_linear", steps_offset: 1 });
  });

  it("is Stable Diffusion 1.4's own", () => {
    const scheduler = loadScheduler(golden("tiny-sd1/scheduler"));
    expect(scheduler).toBeInstanceOf(PndmScheduler);
    expect(scheduler.config).toMatchObject({
      skip_prk_steps: true,
      steps_offset: 1,
      set_alpha_to_one: false,
    });
  });

  it("takes the options that the new class knows and its defaults for those that are not in the file", () => {
    const scheduler = loadScheduler(golden("tiny-sd2/scheduler"), { as: "dpmsolver++" });
    expect(scheduler).toBeInstanceOf(DpmSolverScheduler);
    // DDIM's own "leading" in the file is a default that saving wrote; solver_order and the like are not in the file.
    expect(scheduler.config).toMatchObject({
      prediction_type: "v_prediction",
      timestep_spacing: "linspace",
      steps_offset: 1,
      solver_order: 2,
    });
    const options = { timestep_spacing: "leading" };
    const asked = loadScheduler(golden("tiny-sd2/scheduler"), { as: "dpmsolver++", options });
    expect(asked.config.timestep_spacing).toBe("leading");
    // A spacing that is no default was chosen.
    const file = { _class_name: "DDIMScheduler", timestep_spacing: "trailing" };
    writeFileSync(join(folder, "scheduler_config.json"), JSON.stringify(file));
    expect(loadScheduler(folder, { as: "euler" }).config.timestep_spacing).toBe("trailing");
    // A default of the class that was left is not an option that was given.
    const made = makeScheduler("pndm", { steps_offset: 1, clip_sample: false });
    expect(made.config.timestep_spacing).toBe("leading");
    const switched = switchScheduler(made, "euler");
    expect(switched.config).toMatchObject({ timestep_spacing: "linspace", steps_offset: 1 });
    // What PNDM does not know comes back with a class that does.
    expect(switchScheduler(switched, "ddim").config).toMatchObject({ clip_sample: false });
  });

  it("names an unsupported scheduler, the supported ones and the way out", () => {
    const file = { _class_name: "LCMScheduler", beta_schedule: "scaled_linear" };
    writeFileSync(join(folder, "scheduler_config.json"), JSON.stringify(file));
    const load = () => loadScheduler(folder);
    expect(load).toThrow(ConfigError);
    expect(load).toThrow(
      /LCMScheduler.*DDPMScheduler, DDIMScheduler, PNDMScheduler, EulerDiscreteScheduler, DPMSolverMultistepScheduler/,
    );
    expect(load).toThrow(/ddpm, ddim, pndm, euler, dpmsolver\+\+/);
    expect(loadScheduler(folder, { as: "euler" }).config.beta_schedule).toBe("scaled_linear");
    expect(() => makeScheduler("unipc" as SchedulerName)).toThrow(/"unipc".*ddpm.*dpmsolver\+\+/);
  });

  it("reads and writes minus infinity as Python does", () => {
    const path = join(folder, "scheduler_config.json");
    const text =
      '{"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity, "solver_order": 3}';
    writeFileSync(path, text);
    const scheduler = loadScheduler(folder);
    expect(scheduler.config).toMatchObject({ lambda_min_clipped: -Infinity, solver_order: 3 });
    saveScheduler(folder, scheduler);
    expect(readFileSync(path, "utf8")).toMatch(/"lambda_min_clipped": -Infinity,?\n/);
    expect(loadScheduler(folder).config).toEqual(scheduler.config);
    writeFileSync(path, text.slice(0, -1));
    expect(() => loadScheduler(folder)).toThrow(CheckpointError);
    expect(() => loadScheduler(folder)).toThrow(/scheduler_config.json is not valid JSON/);
  });

  it("comes back equal after saving", () => {
    const scheduler = new DdpmScheduler({
      rescale_betas_zero_snr: true,
      prediction_type: "v_prediction",
      beta_schedule: "squaredcos_cap_v2",
    });
    saveScheduler(folder, scheduler);
    const loaded = loadScheduler(folder);
    expect(loaded).toBeInstanceOf(DdpmScheduler);
    expect(loaded.config).toEqual(scheduler.config);
    expect(loaded.alphasCumprod).toEqual(scheduler.alphasCumprod);
  });

  it("reports a missing and a broken file by name", () => {
    expect(() => loadScheduler(folder)).toThrow(CheckpointError);
    expect(() => loadScheduler(folder)).toThrow(/scheduler_config.json does not exist/);
    writeFileSync(join(folder, "scheduler_config.json"), "{");
    expect(() => loadScheduler(folder)).toThrow(/scheduler_config.json is not valid JSON/);
  });
});
