// The checks that every scheduler must pass; each scheduler's own test file calls them. Numbers of diffusers are compared
// in test/parity/schedulers.test.ts and src/schedulers/options.test.ts.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type DiscreteScheduler,
  makeScheduler,
  type SchedulerName,
  type StepOptions,
} from "../../src/schedulers/index.ts";
import {
  ConfigError,
  Generator,
  inferenceMode,
  keep,
  scope,
  type Tensor,
  tensor,
} from "../../src/torch/index.ts";
import { settledTensorCount } from "../settled.ts";

export const maxDifference = (a: Tensor, b: Tensor): number => scope(() => a.sub(b).abs().max().item());

/** Largest error, relative to the expected value where that is above 1: float32 has no finer steps there. */
export const scaledError = (actual: Tensor, expected: Tensor): number =>
  scope(() => actual.sub(expected).abs().div(expected.abs().clampMin(1)).max().item());

/** The model of the golden runs: a closed formula of the sample and the timestep. */
export const closedFormModel = (sample: Tensor, timestep: number): Tensor =>
  sample
    .mul(1.7)
    .add(timestep * 0.01)
    .sin()
    .mul(0.5)
    .add(sample.mul(0.3));

/** Noise schedule of Stable Diffusion, and options that let every solver end in the clean sample. */
const OPTIONS = {
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
  clip_sample: false,
  set_alpha_to_one: true,
  skip_prk_steps: true,
};

const wave = (phase: number, gain = 1) =>
  tensor(
    Float32Array.from({ length: 36 }, (_, i) => gain * Math.sin(0.7 * i + phase)),
    { shape: [2, 2, 3, 3] },
  );
const latents = () => wave(1, 1.5);
const noise = () => wave(3);

/** A whole run with the closed-form model, one scope to a step as in a pipeline. */
function run(scheduler: DiscreteScheduler, start: Tensor, options: StepOptions = {}): Tensor {
  let sample = keep(scope(() => start.mul(scheduler.initNoiseSigma).to(start.dtype)));
  for (const t of scheduler.timesteps) {
    const next = scope(() => keep(takeStep(scheduler, sample, t, options)));
    sample.dispose();
    sample = next;
  }
  return sample;
}

const takeStep = (scheduler: DiscreteScheduler, sample: Tensor, t: number, options: StepOptions = {}) =>
  scheduler.step(closedFormModel(scheduler.scaleModelInput(sample, t), t), t, sample, options);

interface Traits {
  /** Options with which it draws noise in every step but the last; null when there are none. */
  readonly stochastic: Record<string, unknown> | null;
  readonly predictionTypes?: readonly string[];
  /** Options that change what is kept from step to step. */
  readonly variants?: readonly Record<string, unknown>[];
  /** Where a perfect denoiser leads to the clean sample: predictions, and spacings beside trailing. */
  readonly exact?: { readonly predictionTypes: readonly string[]; readonly spacings: readonly string[] };
  /** Whether noisy latents keep the signal at 1. */
  readonly explodes?: boolean;
  /** Options of the class with a value that it does not support. */
  readonly refused: readonly (readonly [Record<string, unknown>, RegExp])[];
}

export function schedulerContract(name: SchedulerName, traits: Traits): void {
  const { stochastic, explodes = false, variants = [{}] } = traits;
  const { predictionTypes = ["epsilon", "v_prediction", "sample"] } = traits;
  const { exact = { predictionTypes, spacings: ["leading", "linspace"] } } = traits;
  const make = (options: Record<string, unknown> = {}, steps?: number): DiscreteScheduler => {
    const scheduler = makeScheduler(name, { ...OPTIONS, ...options });
    if (steps !== undefined) scheduler.setTimesteps(steps);
    return scheduler;
  };

  describe(`${name}: forward process`, () => {
    it.each([
      ["numbers", () => [0, 700]],
      ["a tensor", () => tensor([0, 700], { dtype: "int64" })],
    ] as const)("adds noise by the closed formula, timesteps as %s", (_, timesteps) => {
      scope(() => {
        const scheduler = make({}, 10);
        const noisy = scheduler.addNoise(latents(), noise(), timesteps());
        [0, 700].forEach((t, i) => {
          const alpha = scheduler.alphasCumprod[t]!;
          const scale = explodes ? 1 / Math.sqrt(alpha) : 1;
          const part = (xs: Tensor, weight: number) => xs.select(0, i).mul(scale * Math.sqrt(weight));
          const expected = part(latents(), alpha).add(part(noise(), 1 - alpha));
          expect(scaledError(noisy.select(0, i), expected)).toBeLessThan(1e-6);
        });
      });
    });

    it.each(predictionTypes)("has the right target for %s", (prediction_type) => {
      scope(() => {
        const scheduler = make({ prediction_type });
        const target = scheduler.trainingTarget(latents(), noise(), [300, 300]);
        const [signal, sigma] = [scheduler.alphasCumprod[300]!, 1 - scheduler.alphasCumprod[300]!].map(
          Math.sqrt,
        );
        const velocity = noise().mul(signal!).sub(latents().mul(sigma!));
        const expected = { epsilon: noise(), v_prediction: velocity, sample: latents() }[prediction_type]!;
        expect(maxDifference(target, expected)).toBeLessThan(1e-6);
      });
    });

    it("keeps the dtype of the latents", () => {
      scope(() => {
        const x = latents().to("bfloat16");
        expect(make().addNoise(x, x, [3, 500]).dtype).toBe("bfloat16");
      });
    });

    it("refuses a timestep beyond training", () => {
      scope(() => {
        expect(() => make().addNoise(latents(), noise(), [1, 1000])).toThrow(ConfigError);
        expect(() => make().addNoise(latents(), noise(), [1, 1000])).toThrow(/Timestep 1000/);
      });
    });
  });

  it(`${name}: a perfect denoiser leads to the clean sample, whatever the steps, spacing and prediction`, () => {
    const divisors = [1, 2, 4, 5, 8, 10, 20, 25, 40];
    const shared = {
      prediction_type: fc.constantFrom(...exact.predictionTypes),
      steps_offset: fc.integer({ min: 0, max: 1 }),
      use_karras_sigmas: fc.boolean(),
    };
    // DDIM and PNDM go down by the same number of timesteps at every step, which trailing steps do where they divide 1000.
    const settings = fc.oneof(
      fc.record({
        ...shared,
        timestep_spacing: fc.constantFrom(...exact.spacings),
        steps: fc.integer({ min: 1, max: 40 }),
      }),
      fc.record({
        ...shared,
        timestep_spacing: fc.constant("trailing"),
        steps: fc.constantFrom(...divisors),
      }),
    );
    fc.assert(
      fc.property(settings, ({ steps, ...options }) => {
        using scheduler = make(options, steps);
        const { timesteps } = scheduler;
        expect(timesteps.length).toBeGreaterThanOrEqual(steps);
        timesteps.slice(1).forEach((t, i) => expect(t).toBeLessThanOrEqual(timesteps[i]!));
        expect(timesteps.at(-1)).toBeGreaterThanOrEqual(0);
        expect(timesteps[0]).toBeLessThan(1000);
        scope(() => {
          const generator = new Generator().manualSeed(1);
          let sample = scheduler.addNoise(latents(), noise(), [timesteps[0]!, timesteps[0]!]);
          for (const t of timesteps) {
            // From what the denoiser sees, x = signal * clean + sigma * noise.
            const seen = scheduler.scaleModelInput(sample, t);
            const sigma = noiseShare(scheduler, t);
            const signal = Math.sqrt(1 - sigma * sigma);
            const epsilon = seen.sub(latents().mul(signal)).div(sigma);
            const outputs = {
              epsilon,
              v_prediction: epsilon.mul(signal).sub(latents().mul(sigma)),
              sample: latents(),
            };
            const output = outputs[options.prediction_type as "epsilon"];
            sample = scheduler.step(output, t, sample, { generator });
          }
          expect(scaledError(sample, latents())).toBeLessThan(2e-3);
        });
      }),
      { seed: 3, numRuns: 60 },
    );
  });

  describe.each(variants)(`${name}: from step to step with %j`, (variant) => {
    const samples = { ...variant, ...stochastic };
    const seeded = (seeds: number[]) => ({
      eta: 1,
      generator: seeds.map((seed) => new Generator().manualSeed(seed)),
    });

    it("an image does not depend on its batch", () => {
      scope(() => {
        const scheduler = make(samples, 6);
        const both = run(scheduler, latents(), seeded([3, 4]));
        const second = run(scheduler, latents().slice(0, 1, 2), seeded([4]));
        expect(maxDifference(both.slice(0, 1, 2), second)).toBe(0);
      });
    });

    if (stochastic) {
      it("wants one generator per sample", () => {
        scope(() => {
          const scheduler = make(samples, 6);
          const step = () => takeStep(scheduler, latents(), scheduler.timesteps[0]!, seeded([1]));
          expect(step).toThrow(/1 generators for a batch of 2/);
        });
      });
    } else {
      it("is deterministic", () => {
        scope(() => {
          const scheduler = make(variant, 6);
          const other = run(scheduler, latents(), seeded([8, 9]));
          expect(maxDifference(run(scheduler, latents()), other)).toBe(0);
        });
      });
    }

    it("starts anew after reset(), after setTimesteps() and after the last step", () => {
      scope(() => {
        const scheduler = make(variant, 6);
        const options = () => ({ generator: new Generator().manualSeed(1) });
        const expected = run(scheduler, latents(), options());
        const interruptions = [
          () => scheduler.reset(),
          () => scheduler.setTimesteps(6),
          () => scheduler[Symbol.dispose](),
        ];
        for (const interrupt of interruptions) {
          for (const t of scheduler.timesteps.slice(0, 4)) takeStep(scheduler, noise(), t);
          interrupt();
          expect(maxDifference(run(scheduler, latents(), options()), expected)).toBe(0);
        }
        expect(maxDifference(run(scheduler, latents(), options()), expected)).toBe(0);
      });
    });

    it("takes the same steps in inference mode, without it, and recording gradients", () => {
      scope(() => {
        const scheduler = make({ ...variant, prediction_type: "v_prediction" }, 6);
        const options = () => ({ generator: new Generator().manualSeed(1) });
        const expected = run(scheduler, latents(), options());
        const inferred = inferenceMode(() => run(scheduler, latents(), options()));
        expect(maxDifference(inferred, expected)).toBe(0);

        const finalSum = (start: Tensor) => run(scheduler, start, options()).sum();
        const start = latents().requiresGrad_();
        finalSum(start).backward();
        const [direction, size] = [noise(), 1e-2];
        const along = start.grad!.mul(direction).sum().item();
        const [ahead, behind] = [size, -size].map((by) => finalSum(latents().add(direction.mul(by))).item());
        expect((ahead! - behind!) / (2 * size) / along).toBeCloseTo(1, 2);
      });
    });

    it("leaves no tensor behind", () => {
      const held = scope(() => [keep(latents()), keep(noise())] as const);
      const before = settledTensorCount();
      const scheduler = make(variant, 6);
      const interruptions = [
        () => scheduler.reset(),
        () => scheduler.setTimesteps(6),
        () => scheduler[Symbol.dispose](),
      ];
      run(scheduler, held[0]).dispose();
      expect(settledTensorCount()).toBe(before);
      for (const interrupt of interruptions) {
        for (const t of scheduler.timesteps.slice(0, 4)) scope(() => void takeStep(scheduler, held[0], t));
        interrupt();
        expect(settledTensorCount()).toBe(before);
      }
      // A step that fails changes nothing: the next one goes on from before it.
      const [first] = scheduler.timesteps;
      scope(() => {
        expect(() => scheduler.step(tensor([1, 2, 3, 4]), first!, held[0])).toThrow();
        takeStep(scheduler, held[0], first!);
        scheduler.addNoise(held[0], held[1], tensor([1, 2], { dtype: "int64" }));
        scheduler.trainingTarget(held[0], held[1], [1, 2]);
      });
      scheduler.reset();
      expect(settledTensorCount()).toBe(before);
      for (const tensor of held) tensor.dispose();
    });
  });

  describe(`${name}: options`, () => {
    it("are written with the class's defaults, and read again", () => {
      const { config, ...scheduler } = make({ prediction_type: "v_prediction" });
      const json = make({ prediction_type: "v_prediction" }).toJSON();
      expect(json).toMatchObject({ ...config, _diffusers_version: "0.40.0" });
      expect(makeScheduler(name, json).config).toEqual(config);
      expect(scheduler.given["prediction_type"]).toBe("v_prediction");
    });

    it.each([
      [{ beta_schedule: "sigmoid" }, /beta_schedule.*"sigmoid".*squaredcos_cap_v2/],
      [{ prediction_type: "flow_prediction" }, /prediction_type.*"flow_prediction".*v_prediction/],
      [{ timestep_spacing: 3 }, /timestep_spacing.*3.*trailing/],
      [{ num_train_timesteps: 0 }, /num_train_timesteps.*0/],
      [{ steps_offset: 0.5 }, /steps_offset.*0.5.*integer/],
      [{ beta_start: "0.1" }, /beta_start.*"0.1".*number/],
      [{ beta_end: NaN }, /beta_end.*NaN.*number/],
      [{ trained_betas: [0.1, 0.2] }, /trained_betas.*2 values/],
      ...traits.refused,
    ] as const)("refuses %j", (options, message) => {
      expect(() => make(options)).toThrow(ConfigError);
      expect(() => make(options)).toThrow(message);
    });

    it.each([0, 1001, 2.5])("refuses %d steps", (steps) => {
      expect(() => make().setTimesteps(steps)).toThrow(ConfigError);
      expect(() => make().setTimesteps(steps)).toThrow(new RegExp(`${steps} steps`));
    });

    it("refuses steps that begin beyond training", () => {
      // All timesteps plus the offset would ask for timestep 1000; DPM-Solver leaves one out.
      const steps = name === "dpmsolver++" ? 999 : 1000;
      const options = { steps_offset: 1, timestep_spacing: "leading" };
      expect(() => make(options).setTimesteps(steps)).toThrow(/steps_offset 1.*1000/);
    });
  });
}

/** Standard deviation of the noise in what the denoiser sees at a sampling timestep. */
function noiseShare(scheduler: DiscreteScheduler, t: number): number {
  return scope(() => {
    const [zero, one] = [tensor([[0]]), tensor([[1]])];
    return scheduler.scaleModelInput(scheduler.addNoise(zero, one, [t]), t).item();
  });
}

const ramp = (): Float32Array => {
  const count = 4 * 3 * 8 * 8;
  return Float32Array.from({ length: count }, (_, i) => i / count);
};

/** diffusers' own full-loop check: deterministic sample and model (tests/schedulers/test_schedulers.py), |x| summed at the end. */
export function fullLoop(
  scheduler: DiscreteScheduler,
  { from }: { from?: number } = {},
): { sum: number; mean: number } {
  return scope(() => {
    // arange over the count, reshaped to [C, H, W, B], divided by the count, batch moved to the front
    const batch = (values: Float32Array) => tensor(values, { shape: [3, 8, 8, 4] }).permute([3, 0, 1, 2]);
    let sample = batch(ramp()).mul(scheduler.initNoiseSigma);
    const timesteps = scheduler.timesteps.slice(from);
    if (from !== undefined)
      sample = scheduler.addNoise(sample, batch(ramp().reverse()), timesteps.slice(0, 1));
    const generator = new Generator().manualSeed(0);
    for (const t of timesteps) {
      sample = scheduler.scaleModelInput(sample, t);
      sample = scheduler.step(sample.mul(t / (t + 1)), t, sample, { generator });
    }
    const absolute = sample.abs();
    return { sum: absolute.sum().item(), mean: absolute.mean().item() };
  });
}
