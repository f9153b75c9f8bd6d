/** Configurations of CLIP's two towers and of the whole, with the names of transformers' config.json. */
import { activation } from "../../nn/index.ts";
import { ConfigError } from "../../torch/index.ts";
import { positive, repeats, whole } from "../config-kinds.ts";
import { checkHeads, readConfig } from "../config.ts";

/** What both towers have. */
export interface ClipTowerConfig {
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly hidden_act: string;
  readonly layer_norm_eps: number;
  readonly projection_dim: number;
}

export interface ClipTextConfig extends ClipTowerConfig {
  readonly vocab_size: number;
  readonly max_position_embeddings: number;
  readonly bos_token_id: number;
  /** 2 in files written before transformers 4.31, where it means: the highest id of a text is its end. */
  readonly eos_token_id: number;
  readonly pad_token_id: number;
}

export interface ClipVisionConfig extends ClipTowerConfig {
  /** Height and width of the images. */
  readonly image_size: number;
  readonly patch_size: number;
  readonly num_channels: number;
}

export interface ClipConfig {
  readonly text_config: ClipTextConfig;
  readonly vision_config: ClipVisionConfig;
  /** Width of the common space of texts and images. */
  readonly projection_dim: number;
  /** Start value of the logarithm of the temperature's inverse. */
  readonly logit_scale_init_value: number;
}

type Given<C> = Readonly<Record<string, unknown>> | Partial<C>;

/** transformers' defaults: the text half of openai/clip-vit-base-patch32. */
export const CLIP_TEXT_DEFAULTS: ClipTextConfig = {
  vocab_size: 49408,
  hidden_size: 512,
  intermediate_size: 2048,
  num_hidden_layers: 12,
  num_attention_heads: 8,
  max_position_embeddings: 77,
  hidden_act: "quick_gelu",
  layer_norm_eps: 1e-5,
  bos_token_id: 49406,
  eos_token_id: 49407,
  pad_token_id: 1,
  projection_dim: 512,
};

/** transformers' defaults: the image half of openai/clip-vit-base-patch32. */
export const CLIP_VISION_DEFAULTS: ClipVisionConfig = {
  hidden_size: 768,
  intermediate_size: 3072,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  image_size: 224,
  patch_size: 32,
  num_channels: 3,
  hidden_act: "quick_gelu",
  layer_norm_eps: 1e-5,
  projection_dim: 512,
};

const TOWER_KINDS = { num_hidden_layers: repeats, layer_norm_eps: positive };
const MAX_VOCABULARY = 2 ** 24;
const tokenId = whole(0, MAX_VOCABULARY);

/** General options that would change results; all others of transformers' many say nothing about these models. */
const FIXED = { attention_dropout: [0], dropout: [0], pruned_heads: [{}] };

const TEXT_RULES = {
  defaults: CLIP_TEXT_DEFAULTS,
  kinds: {
    ...TOWER_KINDS,
    vocab_size: whole(1, MAX_VOCABULARY),
    bos_token_id: tokenId,
    eos_token_id: tokenId,
    pad_token_id: tokenId,
  },
  // diffusers passes the padding's mask on where a text encoder's configuration asks for it.
  fixed: { ...FIXED, model_type: ["clip_text_model"], use_attention_mask: [false] },
  lenient: true,
};

const VISION_RULES = {
  defaults: CLIP_VISION_DEFAULTS,
  kinds: TOWER_KINDS,
  fixed: { ...FIXED, model_type: ["clip_vision_model"] },
  lenient: true,
};

const CLIP_RULES = {
  name: "CLIPModel",
  defaults: { projection_dim: 512, logit_scale_init_value: 2.6592 },
  fixed: { model_type: ["clip"] },
  lenient: true,
};

function checkTower<C extends ClipTowerConfig>(config: C): C {
  activation(config.hidden_act, "hidden_act");
  const options = { channels: "hidden_size", heads: "num_attention_heads" };
  checkHeads(options, config.hidden_size, config.num_attention_heads);
  return config;
}

/**
 * A complete configuration from (part of) a config.json.
 * @param name for messages.
 * @throws ConfigError naming what is unusable or not supported.
 */
export const clipTextConfig = (given: Given<ClipTextConfig> = {}, name = "CLIPTextModel"): ClipTextConfig =>
  checkTower(readConfig(given, { name, ...TEXT_RULES }));

/** As `clipTextConfig`, for the image tower. @throws ConfigError naming what is unusable or not supported. */
export function clipVisionConfig(
  given: Given<ClipVisionConfig> = {},
  name = "CLIPVisionModel",
): ClipVisionConfig {
  const config = checkTower(readConfig(given, { name, ...VISION_RULES }));
  if (config.patch_size > config.image_size) {
    throw new ConfigError(`patch_size ${config.patch_size} is larger than image_size ${config.image_size}`);
  }
  return config;
}

/**
 * A complete configuration from (part of) CLIPModel's config.json. Older files hold `text_config_dict` and
 * `vision_config_dict`, which take precedence, as in transformers.
 * @throws ConfigError naming what is unusable or not supported.
 */
export function clipConfig(given: Given<ClipConfig> = {}): ClipConfig {
  const config = readConfig(given, CLIP_RULES);
  const parts = given as Readonly<Record<string, Given<object> | null | undefined>>;
  return {
    text_config: clipTextConfig(
      parts["text_config_dict"] ?? parts["text_config"] ?? {},
      "CLIPModel text_config",
    ),
    vision_config: clipVisionConfig(
      parts["vision_config_dict"] ?? parts["vision_config"] ?? {},
      "CLIPModel vision_config",
    ),
    ...config,
  };
}
