// What DDPM and DDIM share: the clean sample that a prediction implies, clipped when the options say so.
import { ConfigError, type Tensor } from "../torch/index.ts";
import type { ClippingConfig } from "./config.ts";
import { DiscreteScheduler } from "./discrete-scheduler.ts";
import { sqrt32, times } from "./float32.ts";

export abstract class ClippingScheduler<C extends ClippingConfig> extends DiscreteScheduler<C> {
  /** The clean sample and the noise that a prediction implies. */
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
        return {
          original: clip(sample.sub(times(sigma, modelOutput)).div(signal)),
          noise: () => modelOutput,
        };
      case "v_prediction":
        return {
          original: clip(times(signal, sample).sub(times(sigma, modelOutput))),
          noise: () => times(signal, modelOutput).add(times(sigma, sample)),
        };
      case "sample":
        return {
          original: clip(modelOutput),
          noise: () => sample.sub(times(signal, modelOutput)).div(sigma),
        };
    }
  }
}
