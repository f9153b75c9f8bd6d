import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { CheckpointError, ConfigError } from "../torch/index.ts";
import { DdimScheduler, DdpmScheduler, loadScheduler, saveScheduler } from "./index.ts";

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

  it("names an unsupported scheduler and the way out", () => {
    const load = () => loadScheduler(golden("tiny-sd1/scheduler"));
    expect(load).toThrow(ConfigError);
    expect(load).toThrow(/PNDMScheduler.*DDIMScheduler.*"ddim"/);
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
