import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { ConfigError } from "../torch/index.ts";
import { clipTextConfig, UNET_DEFAULTS, unetConfig, vaeConfig } from "./index.ts";

const read = (path: string) => JSON.parse(readFileSync(golden(path), "utf8")) as Record<string, unknown>;

describe("configurations", () => {
  it("reads what diffusers writes, and fills in its defaults", () => {
    const file = read("tiny-sd2/unet/config.json");
    const config = unetConfig(file);
    for (const [key, value] of Object.entries(config)) expect(file[key]).toEqual(value);
    expect(unetConfig()).toEqual(UNET_DEFAULTS);
    expect(vaeConfig(read("tiny-sd1/vae/config.json"))).toMatchObject({
      scaling_factor: 0.18215,
      latent_channels: 4,
    });
    expect(clipTextConfig(read("tiny-sd1/text_encoder/config.json"))).toMatchObject({
      hidden_size: 24,
      eos_token_id: 694,
    });
  });

  it.each([
    ["num_attention_heads", 8],
    ["only_cross_attention", true],
    ["class_embed_type", "timestep"],
    ["resnet_time_scale_shift", "scale_shift"],
    ["time_cond_proj_dim", 256],
    ["mid_block_type", "UNetMidBlock2D"],
    ["dropout", 0.1],
    ["norm_num_groups", null],
    ["some_future_option", 1],
  ])("refuses the U-Net option %s = %s by name", (key, value) => {
    expect(() => unetConfig({ [key]: value })).toThrow(ConfigError);
    expect(() => unetConfig({ [key]: value })).toThrow(key);
  });

  it("names all unsupported options at once", () => {
    expect(() => unetConfig({ dropout: 0.1, dual_cross_attention: true })).toThrow(
      /dropout[^]*dual_cross_attention/,
    );
  });

  it("refuses lists of wrong length and foreign block types", () => {
    expect(() => unetConfig({ attention_head_dim: [5, 10] })).toThrow(/attention_head_dim: 4 values needed/);
    expect(() => unetConfig({ block_out_channels: [32, 64] })).toThrow(/same length/);
    const down_block_types = ["DownBlock2D", "DownBlock2D", "AttnDownBlock2D", "DownBlock2D"];
    expect(() => unetConfig({ down_block_types })).toThrow(/AttnDownBlock2D/);
    expect(() => vaeConfig({ shift_factor: 0.1 })).toThrow(/shift_factor/);
    expect(() => vaeConfig({ down_block_types: ["AttnDownEncoderBlock2D"] })).toThrow(
      /AttnDownEncoderBlock2D/,
    );
    expect(() => clipTextConfig({ attention_dropout: 0.1 })).toThrow(/attention_dropout/);
  });
});
