/**
 * Configuration of the conditional U-Net, with the names of diffusers' config.json
 * (models/unets/unet_2d_condition.py UNet2DConditionModel.__init__).
 */
import { activation } from "../../nn/index.ts";
import { among, either, everyLevel, flag, kernel, listOf } from "../config-kinds.ts";
import { nothing, notNegative, positive, repeats, size, sizes, whole } from "../config-kinds.ts";
import { checkHeads, checkLevels, item, perLevel, readConfig } from "../config.ts";

const DOWN_BLOCKS = ["CrossAttnDownBlock2D", "DownBlock2D"] as const;
const MID_BLOCKS = ["UNetMidBlock2DCrossAttn", "UNetMidBlock2D"] as const;
const UP_BLOCKS = ["CrossAttnUpBlock2D", "UpBlock2D"] as const;

export interface UNetConfig {
  /** Height and width of the latents that the model was trained for; a note for pipelines. */
  readonly sample_size: number | readonly [number, number] | null;
  readonly in_channels: number;
  readonly out_channels: number;
  /** True: inputs are mapped by 2 x - 1 first. */
  readonly center_input_sample: boolean;
  readonly flip_sin_to_cos: boolean;
  readonly freq_shift: number;
  readonly down_block_types: readonly (typeof DOWN_BLOCKS)[number][];
  /** null: no middle at all, as in the smaller distilled models. */
  readonly mid_block_type: (typeof MID_BLOCKS)[number] | null;
  readonly up_block_types: readonly (typeof UP_BLOCKS)[number][];
  /** True: the first attention of each transformer block looks at the text too; not in the middle block. */
  readonly only_cross_attention: boolean | readonly boolean[];
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
  /**
   * Kept for other tools; no influence here: fused attention keeps its softmax in float32 anyway (diffusers'
   * AttnProcessor2_0 ignores the option too).
   */
  readonly upcast_attention: boolean;
  readonly conv_in_kernel: number;
  readonly conv_out_kernel: number;
}

export const UNET_DEFAULTS: UNetConfig = {
  sample_size: null,
  in_channels: 4,
  out_channels: 4,
  center_input_sample: false,
  flip_sin_to_cos: true,
  freq_shift: 0,
  down_block_types: ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
  mid_block_type: "UNetMidBlock2DCrossAttn",
  up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
  only_cross_attention: false,
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
  upcast_attention: false,
  conv_in_kernel: 3,
  conv_out_kernel: 3,
};

const UNET_KINDS = {
  sample_size: either(sizes, nothing),
  freq_shift: notNegative,
  down_block_types: listOf(among(...DOWN_BLOCKS)),
  mid_block_type: either(among(...MID_BLOCKS), nothing),
  up_block_types: listOf(among(...UP_BLOCKS)),
  only_cross_attention: everyLevel(flag),
  layers_per_block: everyLevel(repeats),
  downsample_padding: whole(0, 8),
  mid_block_scale_factor: positive,
  norm_eps: notNegative,
  cross_attention_dim: everyLevel(size),
  transformer_layers_per_block: everyLevel(repeats),
  attention_head_dim: everyLevel(size),
  conv_in_kernel: kernel,
  conv_out_kernel: kernel,
};

/** Options of diffusers that are supported at one value only: anything else is refused, never ignored. */
const UNET_FIXED = {
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
  projection_class_embeddings_input_dim: [null],
  attention_type: ["default"],
  class_embeddings_concat: [false],
  cross_attention_norm: [null],
};

const UNET_RULES = {
  name: "UNet2DConditionModel",
  defaults: UNET_DEFAULTS,
  kinds: UNET_KINDS,
  fixed: UNET_FIXED,
  // The head count of an embedding that is not there.
  inert: { addition_embed_type_num_heads: either(size, nothing) },
};

/** A complete configuration from (part of) a config.json. @throws ConfigError naming what is unknown or unsupported. */
export function unetConfig(given: Readonly<Record<string, unknown>> | Partial<UNetConfig> = {}): UNetConfig {
  const config = readConfig(given, UNET_RULES);
  checkLevels(config);
  activation(config.act_fn);
  const levels = config.block_out_channels.length;
  for (const key of [
    "only_cross_attention",
    "layers_per_block",
    "cross_attention_dim",
    "transformer_layers_per_block",
    "attention_head_dim",
  ] as const) {
    perLevel<number | boolean>(key, config[key], levels);
  }
  const heads = perLevel("attention_head_dim", config.attention_head_dim, levels);
  config.block_out_channels.forEach((channels, level) => {
    const attends =
      item(config.down_block_types, level) === "CrossAttnDownBlock2D" ||
      item(config.up_block_types, levels - 1 - level) === "CrossAttnUpBlock2D" ||
      (level === levels - 1 && config.mid_block_type === "UNetMidBlock2DCrossAttn");
    const options = { channels: "block_out_channels", heads: "attention_head_dim" };
    if (attends) checkHeads(options, channels, item(heads, level));
  });
  return config;
}
