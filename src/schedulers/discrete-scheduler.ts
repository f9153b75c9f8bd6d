// What all schedulers share: the noise schedule, the forward process and the meaning of a prediction.
// Papers: DDPM arXiv 2006.11239 eq. 4; v-prediction arXiv 2202.00512 appendix D.
import { ConfigError, type Device, keep, scope, Tensor, tensor, upload } from "../torch/index.ts";
import { alphasOf } from "./betas.ts";
import { resolveConfig, type SchedulerConfig, type SchedulerSpec } from "./config.ts";
import type { ForwardProcess, PredictionType, Scheduler, StepOptions, Timesteps } from "./scheduler.ts";
import { spacedTimesteps } from "./timesteps.ts";

/** Options as given: those of the class, and any others (kept for `switchScheduler` and the file). */
export type SchedulerOptions<C> = Readonly<Record<string, unknown>> | Partial<C>;

/** A value for each training timestep, and how one is found for any timestep, which may be refused. */
export interface LevelTable {
  readonly table: readonly number[];
  readonly at: (timestep: number) => number;
}

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
    return scope(() => this.noised(latents, noise, perSample(latents, timesteps, this.levels)));
  }

  /** Velocity target sqrt(alphabar) * noise - sqrt(1 - alphabar) * latents, [B, C, H, W]. */
  getVelocity(latents: Tensor, noise: Tensor, timesteps: Timesteps): Tensor {
    return scope(() => velocity(latents, noise, perSample(latents, timesteps, this.products)));
  }

  trainingTarget(latents: Tensor, noise: Tensor, timesteps: Timesteps): Tensor {
    return this.target(latents, noise, () => this.getVelocity(latents, noise, timesteps));
  }

  forwardProcess(device: Device): ForwardProcess {
    const held = ({ table }: LevelTable) => keep(scope(() => upload(tensor(table), device)));
    const [levels, products] = [held(this.levels), held(this.products)];
    const at = (table: Tensor, { ndim }: Tensor, timesteps: Tensor) =>
      broadcastable(table.indexSelect(0, timesteps), ndim);
    return {
      addNoise: (latents, noise, timesteps) =>
        scope(() => this.noised(latents, noise, at(levels, latents, timesteps))),
      trainingTarget: (latents, noise, timesteps) =>
        this.target(latents, noise, () =>
          scope(() => velocity(latents, noise, at(products, latents, timesteps))),
        ),
      [Symbol.dispose]: () => [levels, products].forEach((table) => table.dispose()),
    };
  }

  /** Latents with noise of each sample's level, [B, 1, 1, 1]: alphabar here. */
  protected noised(latents: Tensor, noise: Tensor, level: Tensor): Tensor {
    const { signal, sigma } = weights(latents, level);
    return signal.mul(latents).add(sigma.mul(noise));
  }

  /** What `noised` takes as level. */
  protected get levels(): LevelTable {
    return this.products;
  }

  private get products(): LevelTable {
    return { table: this.alphasCumprod, at: (timestep) => this.alphaProduct(timestep) };
  }

  private target(latents: Tensor, noise: Tensor, velocities: () => Tensor): Tensor {
    switch (this.predictionType) {
      case "epsilon":
        return noise;
      case "v_prediction":
        return velocities();
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
}

/** sqrt(alphabar) and sqrt(1 - alphabar) of each sample, in its dtype. */
const weights = ({ dtype }: Tensor, products: Tensor) => ({
  signal: products.sqrt().to(dtype),
  sigma: products.neg().add(1).sqrt().to(dtype),
});

function velocity(latents: Tensor, noise: Tensor, products: Tensor): Tensor {
  const { signal, sigma } = weights(latents, products);
  return signal.mul(noise).sub(sigma.mul(latents));
}

/** [B] -> [B, 1, 1, 1]. */
const broadcastable = (values: Tensor, ndim: number): Tensor =>
  values.view([-1, ...Array.from({ length: ndim - 1 }, () => 1)]);

/**
 * A float32 value for each sample's timestep, [B, 1, 1, 1] on the device of `like`. A tensor of integers is looked up in
 * `table` on that device (no wait for a GPU); other timesteps are looked up here with `at`, which checks them.
 */
export function perSample({ device, ndim }: Tensor, timesteps: Timesteps, { table, at }: LevelTable): Tensor {
  const isTensor = timesteps instanceof Tensor;
  const values =
    isTensor && !timesteps.dtype.includes("float")
      ? upload(tensor(table), device).indexSelect(0, upload(timesteps, device))
      : upload(tensor((isTensor ? timesteps.toNumbers() : timesteps).map(at)), device);
  return broadcastable(values, ndim);
}
