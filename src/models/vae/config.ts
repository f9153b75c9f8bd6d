/** Configuration of the autoencoder, with the names of diffusers' config.json (models/autoencoders/autoencoder_kl.py). */
import { activation } from "../../nn/index.ts";
import { among, listOf, positive, repeats, sizes } from "../config-kinds.ts";
import { checkLevels, readConfig } from "../config.ts";

export interface VaeConfig {
  readonly in_channels: number;
  readonly out_channels: number;
  readonly down_block_types: readonly string[];
  readonly up_block_types: readonly string[];
  readonly block_out_channels: readonly number[];
  readonly layers_per_block: number;
  readonly act_fn: string;
  readonly latent_channels: number;
  readonly norm_num_groups: number;
  /** Height and width of the training images; a note for pipelines. */
  readonly sample_size: number | readonly [number, number];
  /** Latents are multiplied by it before the U-Net sees them, and divided before decoding: by the caller. */
  readonly scaling_factor: number;
  /** A note for pipelines: half precision overflows in this VAE. */
  readonly force_upcast: boolean;
  readonly use_quant_conv: boolean;
  readonly use_post_quant_conv: boolean;
  readonly mid_block_add_attention: boolean;
}

export const VAE_DEFAULTS: VaeConfig = {
  in_channels: 3,
  out_channels: 3,
  down_block_types: ["DownEncoderBlock2D"],
  up_block_types: ["UpDecoderBlock2D"],
  block_out_channels: [64],
  layers_per_block: 1,
  act_fn: "silu",
  latent_channels: 4,
  norm_num_groups: 32,
  sample_size: 32,
  scaling_factor: 0.18215,
  force_upcast: true,
  use_quant_conv: true,
  use_post_quant_conv: true,
  mid_block_add_attention: true,
};

const VAE_RULES = {
  name: "AutoencoderKL",
  defaults: VAE_DEFAULTS,
  kinds: {
    down_block_types: listOf(among("DownEncoderBlock2D")),
    up_block_types: listOf(among("UpDecoderBlock2D")),
    layers_per_block: repeats,
    sample_size: sizes,
    scaling_factor: positive,
  },
  fixed: { shift_factor: [null], latents_mean: [null], latents_std: [null] },
};

/** A complete configuration from (part of) a config.json. @throws ConfigError naming what is unknown or unsupported. */
export function vaeConfig(given: Readonly<Record<string, unknown>> | Partial<VaeConfig> = {}): VaeConfig {
  const config = readConfig(given, VAE_RULES);
  checkLevels(config);
  activation(config.act_fn);
  return config;
}
