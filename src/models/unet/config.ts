/**
 * Configuration of the conditional U-Net, with the names of diffusers' config.json
 * (models/unets/unet_2d_condition.py UNet2DConditionModel.__init__).
 */
import { ConfigError } from "../../torch/index.ts";
import { perLevel, readConfig } from "../config.ts";

export type DownBlockType = "CrossAttnDownBlock2D" | "DownBlock2D";
export type UpBlockType = "CrossAttnUpBlock2D" | "UpBlock2D";

export interface UNetConfig {
  /** Height and width of the latents that the model was trained for; a note for pipelines. */
  readonly sample_size: number | readonly [number, number] | null;
  readonly in_channels: number;
  readonly out_channels: number;
  /** True: inputs are mapped by 2 x - 1 first. */
  readonly center_input_sample: boolean;
  readonly flip_sin_to_cos: boolean;
  readonly freq_shift: number;
  readonly down_block_types: readonly DownBlockType[];
  readonly up_block_types: readonly UpBlockType[];
  readonly block_out_channels: readonly number[];
  readonly layers_per_block: number | readonly number[];
  readonly downsample_padding: number;
  /** Divisor of the middle block's residual sums. */
  readonly mid_block_scale_factor: number;
  readonly act_fn: string;
  readonly norm_num_groups: number;
  readonly norm_eps: number;
  readonly cross_attention_dim: number | readonly number[];
  readonly transformer_layers_per_block: number | readonly number[];
  /**
   * The NUMBER of heads (of each level), in spite of its name: a naming mistake that published configurations keep
   * (https://github.com/huggingface/diffusers/issues/2011). A head's dimension is channels / attention_head_dim.
   */
  readonly attention_head_dim: number | readonly number[];
  /** True: the projections around the transformer are linear layers, false: 1x1 convolutions. */
  readonly use_linear_projection: boolean;
}

export const UNET_DEFAULTS: UNetConfig = {
  sample_size: null,
  in_channels: 4,
  out_channels: 4,
  center_input_sample: false,
  flip_sin_to_cos: true,
  freq_shift: 0,
  down_block_types: ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
  up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
  block_out_channels: [320, 640, 1280, 1280],
  layers_per_block: 2,
  downsample_padding: 1,
  mid_block_scale_factor: 1,
  act_fn: "silu",
  norm_num_groups: 32,
  norm_eps: 1e-5,
  cross_attention_dim: 1280,
  transformer_layers_per_block: 1,
  attention_head_dim: 8,
  use_linear_projection: false,
};

/** Options of diffusers that are supported at one value only: anything else is refused, never ignored. */
export const UNET_FIXED: Readonly<Record<string, readonly unknown[]>> = {
  mid_block_type: ["UNetMidBlock2DCrossAttn"],
  only_cross_attention: [false],
  mid_block_only_cross_attention: [null, false],
  dropout: [0],
  reverse_transformer_layers_per_block: [null],
  encoder_hid_dim: [null],
  encoder_hid_dim_type: [null],
  num_attention_heads: [null],
  dual_cross_attention: [false],
  class_embed_type: [null],
  addition_embed_type: [null],
  addition_time_embed_dim: [null],
  num_class_embeds: [null],
  resnet_time_scale_shift: ["default"],
  resnet_skip_time_act: [false],
  resnet_out_scale_factor: [1],
  time_embedding_type: ["positional"],
  time_embedding_dim: [null],
  time_embedding_act_fn: [null],
  timestep_post_act: [null],
  time_cond_proj_dim: [null],
  conv_in_kernel: [3],
  conv_out_kernel: [3],
  projection_class_embeddings_input_dim: [null],
  attention_type: ["default"],
  class_embeddings_concat: [false],
  cross_attention_norm: [null],
};

/**
 * Without influence: fused attention keeps its softmax in float32 anyway (diffusers' AttnProcessor2_0 ignores
 * `upcast_attention` too), and the head count of an embedding that is not there.
 */
const UNET_INERT = ["upcast_attention", "addition_embed_type_num_heads"];

/** A complete configuration from (part of) a config.json. @throws ConfigError naming what is unknown or unsupported. */
export function unetConfig(given: Readonly<Record<string, unknown>> | Partial<UNetConfig> = {}): UNetConfig {
  const rules = {
    name: "UNet2DConditionModel",
    defaults: UNET_DEFAULTS,
    fixed: UNET_FIXED,
    inert: UNET_INERT,
  };
  const config = readConfig(given as Record<string, unknown>, rules);
  const { down_block_types: down, up_block_types: up, block_out_channels: channels } = config;
  if (down.length !== channels.length || up.length !== channels.length) {
    throw new ConfigError(
      `block_out_channels [${channels.join(", ")}], down_block_types (${down.length}) and up_block_types (${up.length}) must have the same length`,
    );
  }
  checkBlockTypes("down_block_types", down, ["CrossAttnDownBlock2D", "DownBlock2D"]);
  checkBlockTypes("up_block_types", up, ["CrossAttnUpBlock2D", "UpBlock2D"]);
  for (const key of [
    "layers_per_block",
    "cross_attention_dim",
    "transformer_layers_per_block",
    "attention_head_dim",
  ] as const) {
    perLevel(key, config[key], channels.length);
  }
  if (typeof config.norm_num_groups !== "number") {
    throw new ConfigError(
      `norm_num_groups: ${JSON.stringify(config.norm_num_groups)} is not supported, only a number`,
    );
  }
  return config;
}

function checkBlockTypes(option: string, types: readonly string[], known: readonly string[]): void {
  for (const type of types) {
    if (!known.includes(type))
      throw new ConfigError(`${option}: "${type}" is not supported, only ${known.join(" or ")}`);
  }
}
