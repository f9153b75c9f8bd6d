// What all schedulers share: the noise schedule, the forward process and the meaning of a prediction.
// Papers: DDPM arXiv 2006.11239 eq. 4; v-prediction arXiv 2202.00512 appendix D.
import { ConfigError, scope, Tensor, tensor } from "../torch/index.ts";
import { alphasOf } from "./betas.ts";
import { resolveConfig, type SchedulerConfig, type SchedulerSpec } from "./config.ts";
import type { PredictionType, Scheduler, StepOptions, Timesteps } from "./scheduler.ts";
import { spacedTimesteps } from "./timesteps.ts";

/** Options as given: those of the class, and any others (kept for `switchScheduler` and the file). */
export type SchedulerOptions<C> = Readonly<Record<string, unknown>> | Partial<C>;

/** Base of the schedulers; the noise schedule is plain numbers, never tensors. */
export abstract class DiscreteScheduler<C extends SchedulerConfig = SchedulerConfig> implements Scheduler {
  readonly config: Readonly<C>;
  /** The options it was made from, without the class's defaults: what another class is made from. */
  readonly given: Readonly<Record<string, unknown>>;
  readonly alphasCumprod: readonly number[];
  timesteps: readonly number[];
  readonly className: string;

  /** `least`: alphabar of the last training timestep where zero terminal SNR would leave 0. */
  constructor(spec: SchedulerSpec<C>, options: SchedulerOptions<C>, { least }: { least?: number } = {}) {
    this.className = spec.className;
    this.given = Object.fromEntries(
      Object.entries(options).filter(([name, value]) => !name.startsWith("_") && value !== undefined),
    );
    this.config = resolveConfig(spec, this.given);
    this.alphasCumprod = alphasOf(this.config, least);
    const count = this.config.num_train_timesteps;
    this.timesteps = Array.from({ length: count }, (_, i) => count - 1 - i);
  }

  abstract step(modelOutput: Tensor, timestep: number, sample: Tensor, options?: StepOptions): Tensor;

  get predictionType(): PredictionType {
    return this.config.prediction_type;
  }

  get numTrainTimesteps(): number {
    return this.config.num_train_timesteps;
  }

  get initNoiseSigma(): number {
    return 1;
  }

  setTimesteps(steps: number): void {
    const { timestep_spacing: spacing, steps_offset: stepsOffset } = this.config;
    this.timesteps = spacedTimesteps(spacing, steps, { trainTimesteps: this.numTrainTimesteps, stepsOffset });
    this.reset();
  }

  scaleModelInput(sample: Tensor, _timestep: number): Tensor {
    return sample;
  }

  /** Nothing to forget here: a step needs only its own timestep. */
  reset(): void {}

  [Symbol.dispose](): void {
    this.reset();
  }

  addNoise(latents: Tensor, noise: Tensor, timesteps: Timesteps): Tensor {
    return scope(() => {
      const { signal, sigma } = this.coefficients(latents, timesteps);
      return signal.mul(latents).add(sigma.mul(noise));
    });
  }

  /** Velocity target sqrt(alphabar) * noise - sqrt(1 - alphabar) * latents, [B, C, H, W]. */
  getVelocity(latents: Tensor, noise: Tensor, timesteps: Timesteps): Tensor {
    return scope(() => {
      const { signal, sigma } = this.coefficients(latents, timesteps);
      return signal.mul(noise).sub(sigma.mul(latents));
    });
  }

  trainingTarget(latents: Tensor, noise: Tensor, timesteps: Timesteps): Tensor {
    switch (this.predictionType) {
      case "epsilon":
        return noise;
      case "v_prediction":
        return this.getVelocity(latents, noise, timesteps);
      case "sample":
        return latents;
    }
  }

  /** Signal-to-noise ratio alphabar / (1 - alphabar) of a training timestep. */
  snr(timestep: number): number {
    const product = this.alphaProduct(timestep);
    return product / (1 - product);
  }

  /** All options of the class, and those given for other classes, as diffusers keeps them. */
  toJSON(): Record<string, unknown> {
    return {
      _class_name: this.className,
      _diffusers_version: "0.40.0",
      ...this.given,
      ...this.config,
    };
  }

  /** alphabar at a training timestep; throws ConfigError when there is no such timestep. */
  protected alphaProduct(timestep: number): number {
    const product = this.alphasCumprod[timestep];
    if (product === undefined)
      throw new ConfigError(
        `Timestep ${timestep} is not an integer between 0 and ${this.numTrainTimesteps - 1}.`,
      );
    return product;
  }

  /** sqrt(alphabar) and sqrt(1 - alphabar) of each sample, in its dtype and broadcastable to it. */
  private coefficients(like: Tensor, timesteps: Timesteps): { signal: Tensor; sigma: Tensor } {
    const products = perSample(like, timesteps, {
      table: this.alphasCumprod,
      at: (timestep) => this.alphaProduct(timestep),
    });
    return {
      signal: products.sqrt().to(like.dtype),
      sigma: products.neg().add(1).sqrt().to(like.dtype),
    };
  }
}

/**
 * A float32 value for each sample's timestep, [B, 1, 1, 1] on the device of `like`. A tensor of integers is looked up in
 * `table` on that device (no wait for a GPU); other timesteps are looked up here with `at`, which checks them.
 */
export function perSample(
  like: Tensor,
  timesteps: Timesteps,
  { table, at }: { table: readonly number[]; at: (timestep: number) => number },
): Tensor {
  const { device, shape } = like;
  const isTensor = timesteps instanceof Tensor;
  const values =
    isTensor && !timesteps.dtype.includes("float")
      ? tensor(table, { device }).indexSelect(0, timesteps.to(device))
      : tensor((isTensor ? timesteps.toNumbers() : timesteps).map(at), { device });
  return values.view([-1, ...shape.slice(1).map(() => 1)]);
}
