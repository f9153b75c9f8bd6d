// Deterministic sampling, Song et al. 2021 (arXiv 2010.02502). Reference: diffusers schedulers/scheduling_ddim.py.
import type { Tensor } from "../torch/index.ts";
import { DEFAULT_SCHEDULER_CONFIG, resolveConfig, type SchedulerConfig } from "./config.ts";
import { DiscreteScheduler } from "./discrete-scheduler.ts";
import type { StepOptions } from "./scheduler.ts";
import { sqrt32 } from "./sqrt32.ts";
import { stepNoise } from "./step-noise.ts";

export interface DdimConfig extends SchedulerConfig {
  /** After the last step alphabar is 1; if false, alphabar of timestep 0. */
  set_alpha_to_one: boolean;
}

const f32 = Math.fround;

const DEFAULTS: DdimConfig = { ...DEFAULT_SCHEDULER_CONFIG, set_alpha_to_one: true };

/** DDIM: the same noise in, the same image out; `eta` in the step options adds noise. */
export class DdimScheduler extends DiscreteScheduler<DdimConfig> {
  protected readonly className = "DDIMScheduler";

  constructor(config: Readonly<Record<string, unknown>> | Partial<DdimConfig> = {}) {
    super(resolveConfig("DDIMScheduler", DEFAULTS, config as Record<string, unknown>));
  }

  step(modelOutput: Tensor, timestep: number, sample: Tensor, options: StepOptions = {}): Tensor {
    const { generator, eta = 0 } = options;
    const previousTimestep = timestep - Math.floor(this.numTrainTimesteps / this.timesteps.length);
    const previous = this.previousProduct(previousTimestep);
    const [rootPrevious, rootVariance] = sqrt32([previous, this.variance(timestep, previousTimestep)]) as [
      number,
      number,
    ];
    const deviation = f32(eta * rootVariance);
    const [towards] = sqrt32([Math.max(f32(f32(1 - previous) - f32(deviation * deviation)), 0)]) as [number];

    // Eq. 12: predicted x_0, direction back to x_t, noise.
    const { original, noise } = this.decompose(modelOutput, timestep, sample);
    const direction = noise().mul(towards);
    const mean = original.mul(rootPrevious).add(direction);
    return eta > 0 ? mean.add(stepNoise(modelOutput, generator).mul(deviation)) : mean;
  }

  /** Variance of eq. 16 at eta = 1 between two timesteps (`previousTimestep` below 0: the end). */
  variance(timestep: number, previousTimestep: number): number {
    const product = this.alphaProduct(timestep);
    const previous = this.previousProduct(previousTimestep);
    return f32(f32(f32(1 - previous) / f32(1 - product)) * f32(1 - f32(product / previous)));
  }

  private previousProduct(timestep: number): number {
    if (timestep >= 0) return this.alphaProduct(timestep);
    return this.config.set_alpha_to_one ? 1 : this.alphaProduct(0);
  }
}
