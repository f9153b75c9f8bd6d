// Deterministic sampling, Song et al. 2021 (arXiv 2010.02502). Reference: diffusers schedulers/scheduling_ddim.py.
import type { Tensor } from "../torch/index.ts";
import { ClippingScheduler } from "./clipping-scheduler.ts";
import { CLIPPING_DEFAULTS, type ClippingConfig, type SchedulerSpec } from "./config.ts";
import type { SchedulerOptions } from "./discrete-scheduler.ts";
import { sqrt32, times } from "./float32.ts";
import type { StepOptions } from "./scheduler.ts";
import { stepNoise } from "./step-noise.ts";

export interface DdimConfig extends ClippingConfig {
  /** After the last step alphabar is 1; if false, alphabar of timestep 0. */
  set_alpha_to_one: boolean;
}

const f32 = Math.fround;

const SPEC: SchedulerSpec<DdimConfig> = {
  className: "DDIMScheduler",
  defaults: { ...CLIPPING_DEFAULTS, set_alpha_to_one: true },
};

/** DDIM: the same noise in, the same image out; `eta` in the step options adds noise. */
export class DdimScheduler extends ClippingScheduler<DdimConfig> {
  constructor(options: SchedulerOptions<DdimConfig> = {}) {
    super(SPEC, options);
  }

  step(modelOutput: Tensor, timestep: number, sample: Tensor, options: StepOptions = {}): Tensor {
    const { generator, eta = 0 } = options;
    const previousTimestep = timestep - Math.floor(this.numTrainTimesteps / this.timesteps.length);
    const previous = this.previousProduct(previousTimestep);
    const [rootPrevious, rootVariance] = sqrt32([previous, this.variance(timestep, previousTimestep)]) as [
      number,
      number,
    ];
    const deviation = f32(f32(eta) * rootVariance);
    const [towards] = sqrt32([Math.max(f32(f32(1 - previous) - f32(deviation * deviation)), 0)]) as [number];

    // Eq. 12: predicted x_0, direction back to x_t, noise.
    const { original, noise } = this.decompose(modelOutput, timestep, sample);
    const direction = times(towards, noise());
    const mean = times(rootPrevious, original).add(direction);
    return eta > 0 ? mean.add(times(deviation, stepNoise(modelOutput, generator))) : mean;
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
