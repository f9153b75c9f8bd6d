import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { TINY_UNET } from "../../../test/training-job.ts";
import { UNet2DConditionModel } from "../../models/index.ts";
import type { Denoiser } from "../../pipelines/index.ts";
import { Generator, inferenceMode, noGrad, randn, scope, type Tensor, tensor } from "../../torch/index.ts";
import { defaultConfig } from "../config.ts";
import { type GuidanceSettings, guidanceSettingsOf, loadGuidance, makeGuidance } from "./guidance-model.ts";

const defaults = guidanceSettingsOf(defaultConfig());

const draw = (shape: number[], seed: number): Tensor =>
  randn(shape, { generator: new Generator().manualSeed(seed) });

const run = (denoiser: Denoiser): number[] =>
  inferenceMode(() =>
    scope(() =>
      denoiser
        .forward(draw([2, 4, 4, 4], 1), tensor([10, 900], { dtype: "int64" }), draw([2, 3, 8], 2))
        .toNumbers(),
    ),
  );

const distance = (a: number[], b: number[]): number =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));

/** Moves every trainable tensor a little, as training would. */
const disturb = (weights: ReadonlyMap<string, Tensor>): void =>
  noGrad(() =>
    scope(() => [...weights.values()].forEach((w, i) => w.add_(draw([...w.shape], i), { alpha: 0.05 }))),
  );

describe("guidance", () => {
  let dir: string;
  let base: UNet2DConditionModel;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "invdiff-guidance-"));
    base = UNet2DConditionModel.seeded(TINY_UNET, 0);
  });
  afterEach(() => {
    rmSync(dir, { recursive: true });
    base[Symbol.dispose]();
  });

  const forms: Partial<GuidanceSettings>[] = [
    { form: "difference", module: "lora", rank: 2 },
    { form: "difference", module: "lora", rank: 2, targets: ["attn1.to_q", "conv_out"] },
    { form: "difference", module: "lora", rank: 2, from: 500 },
    { form: "difference", module: "copy" },
    { form: "residual", module: "copy" },
    { form: "residual", module: "small4" },
    { form: "blend", module: "copy", ratio: 0.25 },
    { form: "blend", module: "small4", ratio: 0.25 },
  ];

  it.each(forms)(
    "$form, $module, $targets, $from: starts without effect, and comes back from its files",
    (form) => {
      const options = { ...defaults, ...form };
      const expected = run(base).map((value) => (form.form === "blend" ? 0.75 * value : value));
      let trained: number[];
      {
        using guidance = makeGuidance(base, options, 0);
        expect(distance(run(guidance.denoiser), expected)).toBeLessThan(1e-6);
        disturb(guidance.weights);
        trained = run(guidance.denoiser);
        expect(distance(trained, expected)).toBeGreaterThan(1e-3);
        guidance.save(dir);
      }
      // The base is untouched by the guidance's life and end.
      if (form.form !== "blend") expect(distance(run(base), expected)).toBe(0);
      using loaded = loadGuidance(base, dir);
      expect(distance(run(loaded.denoiser), trained)).toBe(0);
      expect(distance(run(loaded.forSampling()), trained)).toBeLessThan(1e-4);
    },
  );

  it("adapts the layers whose path contains a target, and no other", () => {
    using guidance = makeGuidance(base, { ...defaults, rank: 2, targets: ["attn2.to_k", "mid_block"] }, 0);
    const layers = [...guidance.weights.keys()];
    expect(layers.length).toBeGreaterThan(10);
    expect(layers.every((key) => key.includes("attn2.to_k") || key.startsWith("mid_block"))).toBe(true);
    expect(() => makeGuidance(base, { ...defaults, targets: ["nowhere"] }, 0)).toThrow(/chose no/);
  });

  it("leaves the base alone below a timestep, in a mixed batch too", () => {
    using guidance = makeGuidance(base, { ...defaults, rank: 2, from: 500 }, 0);
    const [low, high] = [run(base).slice(0, 64), run(base).slice(64)];
    disturb(guidance.weights);
    const guided = run(guidance.denoiser);
    expect(guided.slice(0, 64)).toEqual(low);
    expect(distance(guided.slice(64), high)).toBeGreaterThan(1e-3);
  });

  it("at half strength stands half way between base and guided", () => {
    const options = { ...defaults, rank: 2 };
    using guidance = makeGuidance(base, options, 0);
    disturb(guidance.weights);
    const full = run(guidance.denoiser);
    guidance.save(dir);
    guidance[Symbol.dispose]();
    const none = run(base);
    using half = loadGuidance(base, dir, { strength: 0.5 });
    const middle = none.map((value, i) => (value + full[i]!) / 2);
    expect(distance(run(half.forSampling()), middle)).toBeLessThan(1e-5);
  });

  it("says which file is missing", () => {
    expect(() => loadGuidance(base, dir)).toThrow(/guidance\.json is missing/);
  });
});
