// What DDPM and DDIM share: the noise schedule, the forward process and the meaning of a prediction.
// Papers: DDPM arXiv 2006.11239 eq. 4; v-prediction arXiv 2202.00512 appendix D.
import { ConfigError, Tensor, tensor } from "../torch/index.ts";
import { alphasCumprodOf, makeBetas, rescaleZeroTerminalSnr } from "./betas.ts";
import type { SchedulerConfig } from "./config.ts";
import type { PredictionType, Scheduler, StepOptions, Timesteps } from "./scheduler.ts";
import { sqrt32 } from "./sqrt32.ts";
import { spacedTimesteps } from "./timesteps.ts";

/** Base of the schedulers with integer timesteps; its state is plain numbers, never tensors. */
export abstract class DiscreteScheduler<C extends SchedulerConfig = SchedulerConfig> implements Scheduler {
  readonly config: Readonly<C>;
  readonly initNoiseSigma = 1;
  readonly alphasCumprod: readonly number[];
  timesteps: readonly number[];

  constructor(config: C) {
    this.config = config;
    const { num_train_timesteps: count, trained_betas: trained } = config;
    const betas =
      trained?.map(Math.fround) ?? makeBetas(config.beta_schedule, config.beta_start, config.beta_end, count);
    this.alphasCumprod = alphasCumprodOf(
      config.rescale_betas_zero_snr ? rescaleZeroTerminalSnr(betas) : betas,
    );
    this.timesteps = Array.from({ length: count }, (_, i) => count - 1 - i);
  }

  abstract step(modelOutput: Tensor, timestep: number, sample: Tensor, options?: StepOptions): Tensor;
  /** diffusers' class name, written to `scheduler_config.json`. */
  protected abstract readonly className: string;

  get predictionType(): PredictionType {
    return this.config.prediction_type;
  }

  get numTrainTimesteps(): number {
    return this.config.num_train_timesteps;
  }

  setTimesteps(steps: number): void {
    this.timesteps = spacedTimesteps(this.config.timestep_spacing, steps, {
      trainTimesteps: this.numTrainTimesteps,
      stepsOffset: this.config.steps_offset,
    });
  }

  scaleModelInput(sample: Tensor, _timestep: number): Tensor {
    return sample;
  }

  addNoise(latents: Tensor, noise: Tensor, timesteps: Timesteps): Tensor {
    const { signal, sigma } = this.coefficients(latents, timesteps);
    return signal.mul(latents).add(sigma.mul(noise));
  }

  /** Velocity target sqrt(alphabar) * noise - sqrt(1 - alphabar) * latents, [B, C, H, W]. */
  getVelocity(latents: Tensor, noise: Tensor, timesteps: Timesteps): Tensor {
    const { signal, sigma } = this.coefficients(latents, timesteps);
    return signal.mul(noise).sub(sigma.mul(latents));
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

  toJSON(): Record<string, unknown> {
    return { _class_name: this.className, _diffusers_version: "0.40.0", ...this.config };
  }

  /** The clean sample and the noise that a prediction implies; the sample is clipped when the options say so. */
  protected decompose(
    modelOutput: Tensor,
    timestep: number,
    sample: Tensor,
  ): { original: Tensor; noise: () => Tensor } {
    const product = this.alphaProduct(timestep);
    const [signal, sigma] = sqrt32([product, 1 - product]) as [number, number];
    const clip = (original: Tensor) => {
      const { clip_sample, clip_sample_range: range } = this.config;
      return clip_sample ? original.clamp(-range, range) : original;
    };
    switch (this.predictionType) {
      case "epsilon":
        if (signal === 0) {
          throw new ConfigError(
            `Cannot sample from timestep ${timestep} with prediction_type "epsilon": rescale_betas_zero_snr leaves no signal there. ` +
              `Use a "v_prediction" model, or timestep_spacing "leading".`,
          );
        }
        return { original: clip(sample.sub(modelOutput.mul(sigma)).div(signal)), noise: () => modelOutput };
      case "v_prediction":
        return {
          original: clip(sample.mul(signal).sub(modelOutput.mul(sigma))),
          noise: () => modelOutput.mul(signal).add(sample.mul(sigma)),
        };
      case "sample":
        return { original: clip(modelOutput), noise: () => sample.sub(modelOutput.mul(signal)).div(sigma) };
    }
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

  /**
   * sqrt(alphabar) and sqrt(1 - alphabar) of each sample, broadcastable to `like`. A timesteps tensor is looked up on
   * its own device (no wait for a GPU); numbers are looked up here and checked.
   */
  private coefficients(like: Tensor, timesteps: Timesteps): { signal: Tensor; sigma: Tensor } {
    const shape = [-1, ...like.shape.slice(1).map(() => 1)];
    const { device, dtype } = like;
    const products =
      timesteps instanceof Tensor
        ? tensor(this.alphasCumprod, { device }).indexSelect(0, timesteps.to(device))
        : tensor(
            timesteps.map((t) => this.alphaProduct(t)),
            { device },
          );
    const column = (values: Tensor) => values.sqrt().view(shape).to(dtype);
    return { signal: column(products), sigma: column(products.neg().add(1)) };
  }
}
