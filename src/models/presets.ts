/**
 * Published configurations as literal objects, each under the address of the files that it mirrors, and the sizes of the
 * reference's guidance modules. `unetConfig`, `vaeConfig` and `clipTextConfig` complete them.
 */
import type { ClipTextConfig } from "./clip/index.ts";
import { item } from "./config.ts";
import { unetConfig } from "./unet/index.ts";
import type { UNetConfig } from "./unet/index.ts";
import type { VaeConfig } from "./vae/index.ts";

export interface StableDiffusionPreset {
  readonly unet: Partial<UNetConfig>;
  readonly vae: Partial<VaeConfig>;
  readonly textEncoder: Partial<ClipTextConfig>;
  /** The scheduler_config.json, for `loadScheduler` and the like. */
  readonly scheduler: Readonly<Record<string, string | number | boolean | null>>;
}

/** https://huggingface.co/CompVis/stable-diffusion-v1-4/tree/main: unet, vae, text_encoder, scheduler. */
export const STABLE_DIFFUSION_1_4: StableDiffusionPreset = {
  // https://huggingface.co/CompVis/stable-diffusion-v1-4/blob/main/unet/config.json
  unet: {
    sample_size: 64,
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
    cross_attention_dim: 768,
    attention_head_dim: 8,
  },
  // https://huggingface.co/CompVis/stable-diffusion-v1-4/blob/main/vae/config.json
  vae: {
    in_channels: 3,
    out_channels: 3,
    down_block_types: [
      "DownEncoderBlock2D",
      "DownEncoderBlock2D",
      "DownEncoderBlock2D",
      "DownEncoderBlock2D",
    ],
    up_block_types: ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"],
    block_out_channels: [128, 256, 512, 512],
    layers_per_block: 2,
    act_fn: "silu",
    latent_channels: 4,
    norm_num_groups: 32,
    sample_size: 512,
  },
  // https://huggingface.co/CompVis/stable-diffusion-v1-4/blob/main/text_encoder/config.json
  textEncoder: {
    vocab_size: 49408,
    hidden_size: 768,
    intermediate_size: 3072,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    max_position_embeddings: 77,
    hidden_act: "quick_gelu",
    layer_norm_eps: 1e-5,
    bos_token_id: 0,
    eos_token_id: 2,
    pad_token_id: 1,
    projection_dim: 768,
  },
  // https://huggingface.co/CompVis/stable-diffusion-v1-4/blob/main/scheduler/scheduler_config.json
  scheduler: {
    _class_name: "PNDMScheduler",
    beta_start: 0.00085,
    beta_end: 0.012,
    beta_schedule: "scaled_linear",
    num_train_timesteps: 1000,
    trained_betas: null,
    clip_sample: false,
    set_alpha_to_one: false,
    skip_prk_steps: true,
    steps_offset: 1,
  },
};

/** https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5/tree/main: the same networks, trained longer. */
export const STABLE_DIFFUSION_1_5: StableDiffusionPreset = STABLE_DIFFUSION_1_4;

/** https://huggingface.co/stabilityai/stable-diffusion-2-1-base/tree/main: OpenCLIP's text states, 512 x 512. */
export const STABLE_DIFFUSION_2_1_BASE: StableDiffusionPreset = {
  // https://huggingface.co/stabilityai/stable-diffusion-2-1-base/blob/main/unet/config.json
  unet: {
    ...STABLE_DIFFUSION_1_4.unet,
    only_cross_attention: false,
    cross_attention_dim: 1024,
    attention_head_dim: [5, 10, 20, 20],
    use_linear_projection: true,
  },
  // https://huggingface.co/stabilityai/stable-diffusion-2-1-base/blob/main/vae/config.json
  vae: { ...STABLE_DIFFUSION_1_4.vae, sample_size: 768 },
  // https://huggingface.co/stabilityai/stable-diffusion-2-1-base/blob/main/text_encoder/config.json
  textEncoder: {
    ...STABLE_DIFFUSION_1_4.textEncoder,
    hidden_size: 1024,
    intermediate_size: 4096,
    num_hidden_layers: 23, // OpenCLIP ViT-H without its last layer
    num_attention_heads: 16,
    hidden_act: "gelu",
    projection_dim: 512,
  },
  // https://huggingface.co/stabilityai/stable-diffusion-2-1-base/blob/main/scheduler/scheduler_config.json
  scheduler: { ...STABLE_DIFFUSION_1_4.scheduler, prediction_type: "epsilon" },
};

/** https://huggingface.co/stabilityai/stable-diffusion-2-1/tree/main: predicts velocities, 768 x 768. */
export const STABLE_DIFFUSION_2_1: StableDiffusionPreset = {
  ...STABLE_DIFFUSION_2_1_BASE,
  // https://huggingface.co/stabilityai/stable-diffusion-2-1/blob/main/unet/config.json
  unet: { ...STABLE_DIFFUSION_2_1_BASE.unet, sample_size: 96, upcast_attention: true },
  // https://huggingface.co/stabilityai/stable-diffusion-2-1/blob/main/scheduler/scheduler_config.json
  scheduler: {
    ...STABLE_DIFFUSION_1_4.scheduler,
    _class_name: "DDIMScheduler",
    prediction_type: "v_prediction",
  },
};

export type GuidanceSize = keyof typeof GUIDANCE_CHANNELS;

/** Channels of the four levels; https://github.com/Hundredl/InvDiff/blob/main/src/train_text_to_image.py, `size_dict`. */
const GUIDANCE_CHANNELS = {
  small0: [320, 640, 1280, 1280],
  small1: [320, 640, 960, 960],
  small2: [160, 320, 640, 640],
  small3: [64, 160, 320, 320],
  small4: [32, 64, 160, 160],
} as const;

export const GUIDANCE_SIZES = Object.keys(GUIDANCE_CHANNELS) as readonly GuidanceSize[];

/**
 * The reference's guidance U-Net of a size, fitting a base: the same latents and text states, four levels of the defaults
 * otherwise (8 heads at every level, whatever the base has).
 */
export function guidanceUnetConfig(size: GuidanceSize, base: UNetConfig): UNetConfig {
  const { sample_size, in_channels, out_channels, cross_attention_dim: dims } = base;
  // A list has one value per level of the base, all the width of the same text states.
  const cross_attention_dim = typeof dims === "number" ? dims : item(dims, 0);
  const block_out_channels = GUIDANCE_CHANNELS[size];
  return unetConfig({ sample_size, in_channels, out_channels, cross_attention_dim, block_out_channels });
}
