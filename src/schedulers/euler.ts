// Euler's method on the probability flow, Karras et al. 2022 (arXiv 2206.00364, algorithm 2 without churn).
// Reference: diffusers schedulers/scheduling_euler_discrete.py.
import { linspace, scope, type Tensor } from "../torch/index.ts";
import { type SchedulerSpec, SIGMA_DEFAULTS, type SigmaConfig } from "./config.ts";
import type { SchedulerOptions } from "./discrete-scheduler.ts";
import { log32, root32, times } from "./float32.ts";
import { SigmaScheduler } from "./sigma-scheduler.ts";
import { sigmasAt, timestepOf } from "./sigmas.ts";
import { spacedTimesteps, spread } from "./timesteps.ts";

export interface EulerConfig extends SigmaConfig {
  /** How noise levels are found: at the timesteps, or evenly spaced in their logarithm. */
  interpolation_type: "linear" | "log_linear";
  /** Ends of the Karras noise levels; null: those of the timesteps. */
  sigma_min: number | null;
  sigma_max: number | null;
  /** "continuous" gives a v-prediction model log(sigma) / 4 as timestep. */
  timestep_type: "discrete" | "continuous";
}

const SPEC: SchedulerSpec<EulerConfig> = {
  className: "EulerDiscreteScheduler",
  defaults: {
    ...SIGMA_DEFAULTS,
    interpolation_type: "linear",
    sigma_min: null,
    sigma_max: null,
    timestep_type: "discrete",
  },
  choices: { interpolation_type: ["linear", "log_linear"], timestep_type: ["discrete", "continuous"] },
};

const f32 = Math.fround;

/** Euler: deterministic; samples carry noise of standard deviation sigma and are scaled for the denoiser. */
export class EulerScheduler extends SigmaScheduler<EulerConfig> {
  constructor(options: SchedulerOptions<EulerConfig> = {}) {
    super(SPEC, options);
    this.timesteps = this.timestepsFor(this.timesteps, this.sigmas);
  }

  override get initNoiseSigma(): number {
    const highest = Math.max(...this.sigmas);
    if (this.config.timestep_spacing !== "leading") return highest;
    return root32(f32(f32(highest * highest) + 1));
  }

  override setTimesteps(steps: number): void {
    const { config, trainingSigmas: table } = this;
    const { timestep_spacing: spacing, steps_offset: stepsOffset } = config;
    const options = { trainTimesteps: this.numTrainTimesteps, stepsOffset };
    let timesteps =
      spacing === "linspace"
        ? spread(spacing, steps, options).map(f32)
        : spacedTimesteps(spacing, steps, options);
    let sigmas =
      config.interpolation_type === "linear" ? sigmasAt(timesteps, table) : logLinear(table, steps + 1);
    if (config.use_karras_sigmas) {
      sigmas = this.karras({ min: sigmas.at(-1)!, max: sigmas[0]! }, steps);
      timesteps = sigmas.map((sigma) => f32(timestepOf(sigma, table)));
    }
    this.setSchedule(this.timestepsFor(timesteps, sigmas.map(f32)), sigmas);
  }

  override scaleModelInput(sample: Tensor, timestep: number): Tensor {
    return sample.div(scaleOf(this.sigmas[this.indexOf(timestep)]!));
  }

  step(modelOutput: Tensor, timestep: number, sample: Tensor): Tensor {
    const index = this.indexOf(timestep);
    const [sigma, next] = [this.sigmas[index]!, this.sigmas[index + 1]!];
    const result = scope(() => {
      const xs = sample.to("float32");
      const derivative = xs.sub(this.original(modelOutput, sigma, xs)).div(sigma);
      return xs.add(derivative.mul(f32(next - sigma))).to(modelOutput.dtype);
    });
    this.advance(index);
    return result;
  }

  protected override noised(latents: Tensor, noise: Tensor, level: Tensor): Tensor {
    return latents.add(noise.mul(level.to(latents.dtype)));
  }

  /** The clean sample that a prediction implies, from a sample in float32. */
  private original(modelOutput: Tensor, sigma: number, sample: Tensor): Tensor {
    switch (this.predictionType) {
      case "epsilon":
        return sample.sub(times(sigma, modelOutput));
      case "v_prediction": {
        const weight = f32(-sigma / scaleOf(sigma));
        return modelOutput.mul(weight).add(sample.div(f32(f32(sigma * sigma) + 1)));
      }
      case "sample":
        return modelOutput;
    }
  }

  /** What the denoiser is given as timesteps at these noise levels (which may be more than there are timesteps). */
  private timestepsFor(timesteps: readonly number[], sigmas: readonly number[]): readonly number[] {
    const { timestep_type, prediction_type } = this.config;
    if (timestep_type === "discrete" || prediction_type !== "v_prediction") return timesteps;
    return log32(sigmas.filter((sigma) => sigma > 0)).map((log) => 0.25 * log);
  }
}

/** Standard deviation of a sample whose clean part has standard deviation 1. */
const scaleOf = (sigma: number): number => root32(f32(f32(sigma * sigma) + 1));

/** Noise levels from the table's last to its first, evenly spaced in their logarithm, float32 values. */
const logLinear = (table: readonly number[], count: number): number[] =>
  scope(() => {
    const [first, last] = [table[0]!, table.at(-1)!].map((sigma) => f32(Math.log(sigma))) as [number, number];
    return linspace(last, first, count).exp().toNumbers();
  });
