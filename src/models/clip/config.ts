/** Configuration of the CLIP text encoder, with the names of transformers' config.json (CLIPTextConfig). */
import { ConfigError } from "../../torch/index.ts";

export interface ClipTextConfig {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly max_position_embeddings: number;
  readonly hidden_act: string;
  readonly layer_norm_eps: number;
  readonly bos_token_id: number;
  readonly eos_token_id: number;
  readonly pad_token_id: number;
  readonly projection_dim: number;
}

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

/**
 * A complete configuration from (part of) a config.json. transformers writes many general options that say nothing about
 * this model, so unknown ones are left aside; those that would change results are refused.
 * @throws ConfigError naming the option.
 */
export function clipTextConfig(
  given: Readonly<Record<string, unknown>> | Partial<ClipTextConfig> = {},
): ClipTextConfig {
  const options = given as Readonly<Record<string, unknown>>;
  for (const key of ["attention_dropout", "dropout"]) {
    if ((options[key] ?? 0) !== 0) {
      throw new ConfigError(
        `CLIPTextModel configuration: ${key} = ${String(options[key])} is not supported, only 0`,
      );
    }
  }
  const known = Object.keys(CLIP_TEXT_DEFAULTS).filter(
    (key) => options[key] !== undefined && options[key] !== null,
  );
  const config: ClipTextConfig = {
    ...CLIP_TEXT_DEFAULTS,
    ...Object.fromEntries(known.map((key) => [key, options[key]])),
  };
  const { hidden_size: dim, num_attention_heads: heads } = config;
  if (dim % heads !== 0)
    throw new ConfigError(`hidden_size ${dim} is no multiple of num_attention_heads ${heads}`);
  return config;
}
