/**
 * The variational autoencoder of Stable Diffusion: images in [-1, 1] to latents and back.
 * Kingma and Welling 2013, https://arxiv.org/abs/1312.6114; Rombach et al. 2021, https://arxiv.org/abs/2112.10752.
 * Keys and configuration are those of diffusers AutoencoderKL.
 */
import { buildFromTensors, Conv2d, Module, ParamStore } from "../../nn/index.ts";
import { scope } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";
import { vaeConfig } from "./config.ts";
import type { VaeConfig } from "./config.ts";
import { Decoder } from "./decoder.ts";
import { Encoder } from "./encoder.ts";
import { inPieces, tilePlans } from "./tiling.ts";
import type { VaeMemoryOptions } from "./tiling.ts";

/** A diagonal Gaussian over latents, both tensors [B, latent_channels, h, w], before the scaling factor. */
export class LatentDistribution {
  readonly mean: Tensor;
  /** Log-variance, clamped to [-30, 20]. */
  readonly logvar: Tensor;

  constructor(mean: Tensor, logvar: Tensor) {
    this.mean = mean;
    this.logvar = logvar;
  }

  /** mean + std * noise, for standard normal `noise` of the mean's shape. */
  sample(noise: Tensor): Tensor {
    return scope(() => this.logvar.mul(0.5).exp().mul(noise).add(this.mean));
  }

  /** The most likely latents. */
  mode(): Tensor {
    return this.mean;
  }

  /** Kullback-Leibler divergence from the standard normal distribution, [B]. */
  kl(): Tensor {
    return scope(() =>
      this.mean.square().add(this.logvar.exp()).sub(1).sub(this.logvar).sum([1, 2, 3]).mul(0.5),
    );
  }
}

export class AutoencoderKL extends Module {
  readonly config: VaeConfig;
  readonly #encoder: Encoder;
  readonly #decoder: Decoder;
  readonly #quantConv: Conv2d | undefined;
  readonly #postQuantConv: Conv2d | undefined;

  constructor(vs: ParamStore, given: Partial<VaeConfig> = {}) {
    super(vs);
    const config = vaeConfig(given);
    const channels = config.latent_channels;
    this.config = config;
    this.#encoder = new Encoder(vs.at("encoder"), config);
    this.#decoder = new Decoder(vs.at("decoder"), config);
    if (config.use_quant_conv) {
      this.#quantConv = new Conv2d(vs.at("quant_conv"), 2 * channels, 2 * channels, { kernelSize: 1 });
    }
    if (config.use_post_quant_conv) {
      this.#postQuantConv = new Conv2d(vs.at("post_quant_conv"), channels, channels, { kernelSize: 1 });
    }
  }

  /** A new model with values drawn from `seed`. */
  static seeded(config: Partial<VaeConfig>, seed: number): AutoencoderKL {
    return new AutoencoderKL(ParamStore.seeded({ seed }), config);
  }

  /** An independent model with the same values. */
  clone(): AutoencoderKL {
    return buildFromTensors(this.stateDict(), (vs) => new AutoencoderKL(vs, this.config), { copy: true });
  }

  /** Images [B, in_channels, H, W] in [-1, 1] -> the distribution of their (unscaled) latents. */
  encode(images: Tensor, { slicing, tiling }: VaeMemoryOptions = {}): LatentDistribution {
    const whole = (xs: Tensor) =>
      scope(() => {
        const h = this.#encoder.forward(xs);
        return this.#quantConv?.forward(h) ?? h;
      });
    const [mean, logvar] = scope(() => {
      const moments = inPieces(images, { slicing, plan: tilePlans(this.config, tiling)?.encode }, whole);
      const [mu, lv] = moments.chunk(2, 1) as [Tensor, Tensor];
      return [mu, lv.clamp(-30, 20)];
    });
    return new LatentDistribution(mean, logvar);
  }

  /** Unscaled latents [B, latent_channels, h, w] -> images [B, out_channels, H, W], about [-1, 1]. */
  decode(latents: Tensor, { slicing, tiling }: VaeMemoryOptions = {}): Tensor {
    const whole = (xs: Tensor) => scope(() => this.#decoder.forward(this.#postQuantConv?.forward(xs) ?? xs));
    return inPieces(latents, { slicing, plan: tilePlans(this.config, tiling)?.decode }, whole);
  }
}
