// Ancestral sampling, Ho et al. 2020 (arXiv 2006.11239). Reference: diffusers schedulers/scheduling_ddpm.py.
import { ConfigError, type Tensor } from "../torch/index.ts";
import { ClippingScheduler } from "./clipping-scheduler.ts";
import { CLIPPING_DEFAULTS, type ClippingConfig, type SchedulerSpec } from "./config.ts";
import type { SchedulerOptions } from "./discrete-scheduler.ts";
import { exp32, log32, sqrt32, times } from "./float32.ts";
import type { StepOptions } from "./scheduler.ts";
import { stepNoise } from "./step-noise.ts";

export interface DdpmConfig extends ClippingConfig {
  /** null, as in files of DPM-Solver, means "fixed_small". */
  variance_type: "fixed_small" | "fixed_small_log" | "fixed_large" | null;
}

const f32 = Math.fround;

const SPEC: SchedulerSpec<DdpmConfig> = {
  className: "DDPMScheduler",
  defaults: { ...CLIPPING_DEFAULTS, variance_type: "fixed_small" },
  choices: { variance_type: ["fixed_small", "fixed_small_log", "fixed_large", null] },
};

/** DDPM: every step adds fresh noise except the last. Throws ConfigError for an option it does not know how to follow. */
export class DdpmScheduler extends ClippingScheduler<DdpmConfig> {
  constructor(options: SchedulerOptions<DdpmConfig> = {}) {
    super(SPEC, options);
  }

  step(modelOutput: Tensor, timestep: number, sample: Tensor, options: StepOptions = {}): Tensor {
    const { product, previous } = this.neighbours(timestep);
    // Rounded like diffusers' float32 scalars: 1 - ratio cancels, so float64 would end 1e-5 elsewhere after 25 steps.
    const ratio = f32(product / previous);
    const beta = f32(1 - ratio);
    const rest = f32(1 - product);
    const [rootPrevious, rootRatio] = sqrt32([previous, ratio]) as [number, number];

    // 1. Mean of q(x_{t-1} | x_t, x_0), eq. 7.
    const { original } = this.decompose(modelOutput, timestep, sample);
    const mean = times(f32(f32(rootPrevious * beta) / rest), original).add(
      times(f32(f32(rootRatio * f32(1 - previous)) / rest), sample),
    );

    // 2. Noise, except at the end.
    if (timestep === 0) return mean;
    return mean.add(times(this.deviation(timestep), stepNoise(modelOutput, options.generator)));
  }

  /** Variance of the noise added at a timestep. */
  variance(timestep: number): number {
    const { product, previous } = this.neighbours(timestep);
    const beta = f32(1 - f32(product / previous));
    if (this.config.variance_type === "fixed_large") return beta;
    return Math.max(f32(f32(f32(1 - previous) / f32(1 - product)) * beta), 1e-20);
  }

  /** Root of the variance; "fixed_small_log" takes it through the logarithm, and is rounded accordingly. */
  private deviation(timestep: number): number {
    const variance = [this.variance(timestep)];
    if (this.config.variance_type !== "fixed_small_log") return sqrt32(variance)[0]!;
    return exp32(log32(variance).map((value) => 0.5 * value))[0]!;
  }

  /** alphabar at this timestep and at the next one sampled (1 after the last). */
  private neighbours(timestep: number): { product: number; previous: number } {
    const index = this.timesteps.indexOf(timestep);
    if (index < 0) {
      throw new ConfigError(
        `Timestep ${timestep} is not one of the ${this.timesteps.length} sampling timesteps; call setTimesteps first and pass its values.`,
      );
    }
    const next = this.timesteps[index + 1];
    return {
      product: this.alphaProduct(timestep),
      previous: next === undefined ? 1 : this.alphaProduct(next),
    };
  }
}
