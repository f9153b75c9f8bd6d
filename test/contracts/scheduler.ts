// The checks that every scheduler must pass; each scheduler's own test file calls them. Goldens: test/golden/schedulers.{json,safetensors}.
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { golden } from "../golden-dir.ts";
import { readSafetensors } from "../../src/checkpoint/index.ts";
import { ConfigError, Generator, scope, type Tensor, tensor, tensorCount } from "../../src/torch/index.ts";
import { type DiscreteScheduler, makeScheduler, type SchedulerName } from "../../src/schedulers/index.ts";

interface GoldenFile {
  ddpm_generator_seed: number;
  config: Record<string, unknown>;
  runs: { key: string; scheduler: string; prediction_type: string; steps: number }[];
}

export const maxDifference = (a: Tensor, b: Tensor): number => scope(() => a.sub(b).abs().max().item());

/** Options of the golden runs that are not in the golden file's shared config. */
const GOLDEN_OPTIONS: Record<SchedulerName, Record<string, unknown>> = {
  ddpm: {},
  ddim: { set_alpha_to_one: false },
};

export function schedulerContract(name: SchedulerName): void {
  const file = JSON.parse(readFileSync(golden("schedulers.json"), "utf8")) as GoldenFile;
  const tensors = readSafetensors(golden("schedulers.safetensors"));
  const at = (key: string) => tensors.get(key)!;
  afterAll(() => {
    for (const tensor of tensors.values()) tensor.dispose();
  });
  const make = (options: Record<string, unknown> = {}): DiscreteScheduler =>
    makeScheduler(name, { ...file.config, ...GOLDEN_OPTIONS[name], ...options });

  describe(`${name}: golden runs of diffusers`, () => {
    for (const run of file.runs.filter(({ scheduler }) => scheduler === name)) {
      it(run.key, () => {
        const scheduler = make({ prediction_type: run.prediction_type });
        scheduler.setTimesteps(run.steps);
        expect(scheduler.timesteps).toEqual(at(`${run.key}.timesteps`).toNumbers());
        scope(() => {
          const generator = new Generator().manualSeed(file.ddpm_generator_seed);
          let sample = at("sample").mul(scheduler.initNoiseSigma);
          for (const [i, t] of scheduler.timesteps.entries()) {
            const input = scheduler.scaleModelInput(sample, t);
            const output = input
              .mul(1.7)
              .add(t * 0.01)
              .sin()
              .mul(0.5)
              .add(input.mul(0.3));
            sample = scheduler.step(output, t, sample, { generator });
            const state = tensors.get(`${run.key}.after${i}`);
            if (state) expect(maxDifference(sample, state)).toBeLessThan(1e-5);
          }
          expect(maxDifference(sample, at(`${run.key}.final`))).toBeLessThan(1e-5);
        });
      });
    }
  });

  describe(`${name}: forward process`, () => {
    const close = (a: readonly number[], b: readonly number[], relative: number) => {
      expect(a.length).toBe(b.length);
      expect(
        Math.max(...a.map((value, i) => Math.abs(value - b[i]!) / Math.max(1, Math.abs(b[i]!)))),
      ).toBeLessThan(relative);
    };

    it("has diffusers' alphas_cumprod and signal-to-noise ratios", () => {
      const scheduler = make();
      close(scheduler.alphasCumprod, at("alphas_cumprod").toNumbers(), 1e-7);
      close(
        scheduler.alphasCumprod.map((_, t) => scheduler.snr(t)),
        at("snr").toNumbers(),
        1e-4,
      );
    });

    it("adds noise and makes velocities, timesteps as numbers or as a tensor", () => {
      const timesteps = at("add_noise.timesteps");
      for (const t of [timesteps, timesteps.toNumbers()]) {
        scope(() => {
          const [x, noise] = [at("sample"), at("add_noise.noise")];
          expect(maxDifference(make().addNoise(x, noise, t), at("add_noise.out"))).toBeLessThan(1e-6);
          expect(maxDifference(make().getVelocity(x, noise, t), at("velocity.out"))).toBeLessThan(1e-6);
        });
      }
    });

    it("has the noise, the velocity or the latents as target", () => {
      scope(() => {
        const [x, noise, t] = [at("sample"), at("add_noise.noise"), at("add_noise.timesteps")];
        const target = (prediction_type: string) => make({ prediction_type }).trainingTarget(x, noise, t);
        expect(maxDifference(target("epsilon"), noise)).toBe(0);
        expect(maxDifference(target("sample"), x)).toBe(0);
        expect(maxDifference(target("v_prediction"), at("velocity.out"))).toBeLessThan(1e-6);
      });
    });

    it("keeps the dtype of the latents", () => {
      scope(() => {
        const x = at("sample").to("bfloat16");
        expect(make().addNoise(x, x, [3, 500]).dtype).toBe("bfloat16");
      });
    });
  });

  describe(`${name}: a perfect prediction at timestep 0 gives the clean sample`, () => {
    it.each(["epsilon", "v_prediction", "sample"])("%s", (prediction_type) => {
      scope(() => {
        const scheduler = make({ prediction_type, set_alpha_to_one: true, steps_offset: 0 });
        scheduler.setTimesteps(10);
        expect(scheduler.timesteps.at(-1)).toBe(0);
        const [x, noise] = [at("sample"), at("add_noise.noise")];
        const perfect = scheduler.trainingTarget(x, noise, [0, 0]);
        expect(
          maxDifference(scheduler.step(perfect, 0, scheduler.addNoise(x, noise, [0, 0])), x),
        ).toBeLessThan(1e-5);
      });
    });
  });

  describe(`${name}: options`, () => {
    it("ends in pure noise with rescale_betas_zero_snr", () => {
      const scheduler = make({
        rescale_betas_zero_snr: true,
        prediction_type: "v_prediction",
        timestep_spacing: "trailing",
      });
      expect(scheduler.alphasCumprod.at(-1)).toBe(0);
      expect(scheduler.alphasCumprod[0]).toBeCloseTo(make().alphasCumprod[0]!, 6);
      scheduler.setTimesteps(10);
      expect(scheduler.timesteps[0]).toBe(999);
      scope(() => {
        const next = scheduler.step(at("sample"), 999, at("add_noise.noise"), {
          generator: new Generator().manualSeed(0),
        });
        expect(Number.isFinite(next.sum().item())).toBe(true);
      });
    });

    it("refuses to sample an epsilon model where no signal is left", () => {
      const scheduler = make({ rescale_betas_zero_snr: true, timestep_spacing: "trailing" });
      scheduler.setTimesteps(10);
      scope(() =>
        expect(() => scheduler.step(at("sample"), 999, at("sample"))).toThrow(/timestep 999.*epsilon/),
      );
    });

    it.each([
      [{ beta_schedule: "sigmoid" }, /beta_schedule.*"sigmoid".*squaredcos_cap_v2/],
      [{ prediction_type: "flow" }, /prediction_type.*"flow".*v_prediction/],
      [{ timestep_spacing: 3 }, /timestep_spacing.*3.*trailing/],
      [{ thresholding: true }, /thresholding.*true/],
      [{ num_train_timesteps: 0 }, /num_train_timesteps.*0/],
      [{ beta_start: "0.1" }, /beta_start.*"0.1".*number/],
      [{ trained_betas: [0.1, 0.2] }, /trained_betas.*2 values/],
    ])("refuses %j", (options, message) => {
      expect(() => make(options)).toThrow(ConfigError);
      expect(() => make(options)).toThrow(message);
    });

    it.each([0, 1001, 2.5])("refuses %d steps", (steps) => {
      expect(() => make().setTimesteps(steps)).toThrow(ConfigError);
    });

    it("refuses a timestep beyond training", () => {
      scope(() =>
        expect(() => make().addNoise(at("sample"), at("sample"), [1, 1000])).toThrow(/Timestep 1000/),
      );
      // leading spacing over all timesteps plus the offset would ask for timestep 1000
      expect(() => make({ steps_offset: 1 }).setTimesteps(1000)).toThrow(/steps_offset 1.*1000/);
    });
  });

  it(`${name}: one generator per sample makes the noise independent of the batch`, () => {
    const scheduler = make();
    scheduler.setTimesteps(10);
    scope(() => {
      const options = (seeds: number[]) => ({
        eta: 1,
        generator: seeds.map((seed) => new Generator().manualSeed(seed)),
      });
      const t = scheduler.timesteps[3]!;
      const [x, output] = [at("sample"), at("add_noise.noise")];
      const both = scheduler.step(output, t, x, options([3, 4]));
      const second = scheduler.step(output.slice(0, 1, 2), t, x.slice(0, 1, 2), options([4]));
      expect(maxDifference(both.slice(0, 1, 2), second)).toBe(0);
      expect(() => scheduler.step(output, t, x, options([1]))).toThrow(/1 generators for a batch of 2/);
    });
  });

  it(`${name}: leaves no tensor behind`, () => {
    const before = tensorCount();
    const scheduler = make();
    scheduler.setTimesteps(5);
    scope(() => {
      scheduler.step(at("sample"), scheduler.timesteps[0]!, at("sample"));
      scheduler.addNoise(at("sample"), at("sample"), tensor([1, 2], { dtype: "int64" }));
    });
    expect(tensorCount()).toBe(before);
  });
}

/** diffusers' own full-loop check: deterministic sample and model (tests/schedulers/test_schedulers.py), |x| summed at the end. */
export function fullLoop(
  scheduler: DiscreteScheduler,
  options: { seed?: number } = {},
): { sum: number; mean: number } {
  return scope(() => {
    const [batch, channels, height, width] = [4, 3, 8, 8];
    const count = batch * channels * height * width;
    // arange over the count, reshaped to [C, H, W, B], divided by the count, batch moved to the front
    const values = Float32Array.from({ length: count }, (_, i) => i / count);
    let sample = tensor(values, { shape: [channels, height, width, batch] }).permute([3, 0, 1, 2]);
    const generator = new Generator().manualSeed(options.seed ?? 0);
    for (const t of scheduler.timesteps) {
      const output = sample.mul(t / (t + 1));
      sample = scheduler.step(output, t, sample, { generator });
    }
    const absolute = sample.abs();
    return { sum: absolute.sum().item(), mean: absolute.mean().item() };
  });
}
