/** Everything of the model folder that is not trained here: configurations of U-Net and scheduler, index, tokenizer. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeModelIndex } from "../../src/checkpoint/index.ts";
import { unetConfig, type UNetConfig } from "../../src/models/index.ts";
import { DdimScheduler, saveScheduler } from "../../src/schedulers/index.ts";
import { ClipTokenizer, writeTokenizer } from "../../src/tokenizers/index.ts";
import { writeFileAtomic } from "../../src/torch/index.ts";
import { CORPUS } from "./captions.ts";

/** Longest caption in tokens. CLIP's 77 would make each U-Net step 17 % slower for nothing. */
const MAX_TOKENS = 16;

/** The U-Net that the experiment trains; the folder has no weights for it. */
const UNET: Partial<UNetConfig> = {
  sample_size: 8,
  block_out_channels: [64, 128],
  layers_per_block: 1,
  down_block_types: ["CrossAttnDownBlock2D", "DownBlock2D"],
  up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D"],
  cross_attention_dim: 64,
  attention_head_dim: 2,
  norm_num_groups: 32,
};

/**
 * Stable Diffusion's noise, brought to zero signal at the last step: otherwise that step still shows the mean of the
 * training images, and with it the bias (Lin et al. 2023, https://arxiv.org/abs/2305.08891).
 */
const SCHEDULER = {
  beta_schedule: "scaled_linear",
  beta_start: 0.00085,
  beta_end: 0.012,
  rescale_betas_zero_snr: true,
  prediction_type: "v_prediction",
  timestep_spacing: "trailing",
  clip_sample: false,
  set_alpha_to_one: true,
  steps_offset: 0,
} as const;

const writeJson = (path: string, value: unknown): void =>
  writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);

/** Writes unet/config.json, scheduler/ and model_index.json. */
export function writeConfigurations(folder: string): void {
  const unet = { _class_name: "UNet2DConditionModel", _diffusers_version: "0.40.0", ...unetConfig(UNET) };
  writeJson(join(folder, "unet", "config.json"), unet);
  saveScheduler(join(folder, "scheduler"), new DdimScheduler(SCHEDULER));
  writeModelIndex(folder);
}

/** Trains and writes tokenizer/. */
export function makeTokenizer(folder: string): ClipTokenizer {
  writeTokenizer(folder, CORPUS, 254);
  const path = join(folder, "tokenizer_config.json");
  const config = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  writeJson(path, { ...config, model_max_length: MAX_TOKENS });
  return ClipTokenizer.load(folder);
}
