// Ancestral sampling, Ho et al. 2020 (arXiv 2006.11239). Reference: diffusers schedulers/scheduling_ddpm.py.
import { ConfigError, type Tensor } from "../torch/index.ts";
import { DEFAULT_SCHEDULER_CONFIG, resolveConfig, type SchedulerConfig } from "./config.ts";
import { DiscreteScheduler } from "./discrete-scheduler.ts";
import type { StepOptions } from "./scheduler.ts";
import { sqrt32 } from "./sqrt32.ts";
import { stepNoise } from "./step-noise.ts";

export interface DdpmConfig extends SchedulerConfig {
  variance_type: "fixed_small" | "fixed_small_log" | "fixed_large";
}

const f32 = Math.fround;

const DEFAULTS: DdpmConfig = { ...DEFAULT_SCHEDULER_CONFIG, variance_type: "fixed_small" };

/** DDPM: every step adds fresh noise except the last. Throws ConfigError for an option it does not know how to follow. */
export class DdpmScheduler extends DiscreteScheduler<DdpmConfig> {
  protected readonly className = "DDPMScheduler";

  constructor(config: Readonly<Record<string, unknown>> | Partial<DdpmConfig> = {}) {
    super(resolveConfig("DDPMScheduler", DEFAULTS, config as Record<string, unknown>));
  }

  step(modelOutput: Tensor, timestep: number, sample: Tensor, options: StepOptions = {}): Tensor {
    const { product, previous } = this.neighbours(timestep);
    // Rounded like diffusers' float32 scalars: 1 - ratio cancels, so float64 would end 1e-5 elsewhere after 25 steps.
    const ratio = f32(product / previous);
    const beta = f32(1 - ratio);
    const rest = f32(1 - product);
    const [rootPrevious, rootRatio, deviation] = sqrt32([previous, ratio, this.variance(timestep)]) as [
      number,
      number,
      number,
    ];

    // 1. Mean of q(x_{t-1} | x_t, x_0), eq. 7.
    const { original } = this.decompose(modelOutput, timestep, sample);
    const mean = original
      .mul(f32(f32(rootPrevious * beta) / rest))
      .add(sample.mul(f32(f32(rootRatio * f32(1 - previous)) / rest)));

    // 2. Noise, except at the end.
    if (timestep === 0) return mean;
    return mean.add(stepNoise(modelOutput, options.generator).mul(deviation));
  }

  /** Variance of the noise added at a timestep. */
  variance(timestep: number): number {
    const { product, previous } = this.neighbours(timestep);
    const beta = f32(1 - f32(product / previous));
    if (this.config.variance_type === "fixed_large") return beta;
    // Both small variants add sqrt(variance) times noise; they differ only in how diffusers stores it.
    return Math.max(f32(f32(f32(1 - previous) / f32(1 - product)) * beta), 1e-20);
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
