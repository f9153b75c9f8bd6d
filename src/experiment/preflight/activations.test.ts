// The walk through the layers, against what PyTorch's autograd saves for diffusers' U-Nets (tools/python/saved_activations.py).
import { describe, expect, it } from "vitest";
import { unetConfig } from "../../models/index.ts";
import type { UNetConfig } from "../../models/index.ts";
import { addKept, unetPieces } from "./activations.ts";

const SMALL: Partial<UNetConfig> = {
  down_block_types: ["CrossAttnDownBlock2D", "DownBlock2D"],
  up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D"],
  block_out_channels: [8, 16],
  layers_per_block: 1,
  norm_num_groups: 4,
  cross_attention_dim: 8,
  attention_head_dim: 2,
};
const LINEAR: Partial<UNetConfig> = {
  down_block_types: ["DownBlock2D", "CrossAttnDownBlock2D"],
  up_block_types: ["CrossAttnUpBlock2D", "UpBlock2D"],
  block_out_channels: [32, 64],
  layers_per_block: 2,
  norm_num_groups: 8,
  cross_attention_dim: 32,
  attention_head_dim: 4,
  use_linear_projection: true,
  transformer_layers_per_block: 2,
};
const SD: Partial<UNetConfig> = {
  block_out_channels: [64, 128, 256, 256],
  cross_attention_dim: 128,
  attention_head_dim: 8,
};

describe("what the forward pass keeps", () => {
  it.each([
    ["small", SMALL, 4, [8, 8], 5, 1347712],
    ["no middle", { ...SMALL, mid_block_type: null }, 2, [8, 8], 5, 582912],
    [
      "plain middle",
      { ...SMALL, mid_block_type: "UNetMidBlock2D", layers_per_block: [1, 2] },
      2,
      [8, 8],
      5,
      626304,
    ],
    ["odd size", { ...SMALL, downsample_padding: 1 }, 3, [7, 9], 5, 1047864],
    ["only text", { ...SMALL, only_cross_attention: [true, false] }, 3, [8, 8], 5, 976800],
    ["linear", LINEAR, 3, [16, 16], 7, 24775488],
    ["like Stable Diffusion", SD, 2, [32, 32], 77, 190501632],
  ] as [string, Partial<UNetConfig>, number, [number, number], number, number][])(
    "is that of autograd, to the byte: %s",
    (_, config, batch, [height, width], textTokens, bytes) => {
      const pieces = unetPieces(unetConfig(config), { height, width, textTokens });
      const { matrix, norm, statistics } = pieces.map(({ kept }) => kept).reduce(addKept);
      expect(4 * batch * (matrix + norm + statistics)).toBe(bytes);
    },
  );
});
