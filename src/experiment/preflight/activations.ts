// What a U-Net's forward pass keeps for the backward pass, found by walking its layers as models/unet builds them.
//
// A tensor is counted at the operation that saves it. A linear layer or convolution saves its input; a normalisation its input and
// the mean and deviation of each group; an activation its input; fused attention its three inputs, its output and a logarithm
// per row; a product both factors. Sums, reshapes and concatenations save nothing.
import type { UNetConfig } from "../../models/index.ts";

/** Numbers of elements for one image. */
export interface Kept {
  /** Saved by matrix products: in the precision of the computation. */
  readonly matrix: number;
  /** Saved by normalisations and activations, which CUDA's mixed precision leaves in float32. */
  readonly norm: number;
  /** Of these, what group normalisations save, and activations right behind them: nothing where both are one kernel. */
  readonly groupNorm: number;
  readonly activated: number;
  /** Always float32. */
  readonly statistics: number;
}

/** A stretch of the network. */
export interface Piece {
  readonly kept: Kept;
  /** Elements of its result. */
  readonly output: number;
  /** Gradient checkpointing keeps only its result, and computes the rest again. */
  readonly isSegment: boolean;
  /** Elements of the largest tensor inside. */
  readonly largest: number;
}

export interface InputSize {
  /** Of the latents. */
  readonly height: number;
  readonly width: number;
  /** Tokens of the text states. */
  readonly textTokens: number;
}

export const NOTHING: Kept = { matrix: 0, norm: 0, groupNorm: 0, activated: 0, statistics: 0 };

export const addKept = (a: Kept, b: Kept): Kept => ({
  matrix: a.matrix + b.matrix,
  norm: a.norm + b.norm,
  groupNorm: a.groupNorm + b.groupNorm,
  activated: a.activated + b.activated,
  statistics: a.statistics + b.statistics,
});

const atLevel = <T>(option: T | readonly T[], level: number): T =>
  Array.isArray(option) ? (option as readonly T[])[level]! : (option as T);

/** ResnetBlock: two times normalisation, activation, convolution. */
function residual(config: UNetConfig, channels: { in: number; out: number }, pixels: number): Piece {
  const both = (channels.in + channels.out) * pixels;
  return {
    kept: {
      ...{ matrix: both, norm: 2 * both, groupNorm: both, activated: both },
      statistics: 4 * config.norm_num_groups,
    },
    output: channels.out * pixels,
    isSegment: true,
    largest: Math.max(channels.in, channels.out) * pixels,
  };
}

/** Transformer2D at a level of the U-Net. */
function transformer(
  config: UNetConfig,
  {
    level,
    pixels,
    tokens,
    inMiddle = false,
  }: { level: number; pixels: number; tokens: number; inMiddle?: boolean },
): Piece {
  const channels = config.block_out_channels[level]!;
  const map = channels * pixels;
  const heads = atLevel(config.attention_head_dim, level);
  const layers = atLevel(config.transformer_layers_per_block, level);
  const onlyText = !inMiddle && atLevel(config.only_cross_attention, level);
  const textMap = channels * tokens;
  // Each attention: normalised input, queries and result, keys and values.
  const first = 3 * map + 2 * (onlyText ? textMap : map);
  const second = 3 * map + 2 * textMap;
  // Normalised input, both halves of the widened one (4 + 4), the gate's activation and the product (4 each).
  const feedForward = 17 * map;
  // Mean and deviation of three normalisations, a logarithm per row of each attention.
  const statistics = 6 * pixels + 2 * heads * pixels;
  return {
    kept: {
      matrix: 2 * map + layers * (first + second + feedForward),
      ...{ norm: map + layers * 3 * map, groupNorm: map, activated: 0 },
      statistics: 2 * config.norm_num_groups + layers * statistics,
    },
    output: map,
    isSegment: true,
    largest: 8 * map,
  };
}

/** A convolution by itself (a change of resolution, the first and last one): it saves its input. */
const convolution = (input: number, output: number): Piece => ({
  kept: { ...NOTHING, matrix: input },
  output,
  isSegment: false,
  largest: Math.max(input, output),
});

/** The pieces of a U-Net in the order of its forward pass, for one image. */
export function unetPieces(config: UNetConfig, { height, width, textTokens }: InputSize): Piece[] {
  const channels = config.block_out_channels;
  const levels = channels.length;
  const attends = (type: string): boolean => type.startsWith("CrossAttn");
  const half = (length: number): number =>
    Math.floor((length + (config.downsample_padding === 0 ? 1 : 2 * config.downsample_padding) - 3) / 2) + 1;
  const sizes = [[height, width] as const];
  for (let level = 1; level < levels; level++) sizes.push([half(sizes.at(-1)![0]), half(sizes.at(-1)![1])]);
  const pixelsOf = (level: number): number => sizes[level]![0] * sizes[level]![1];
  const tokens = textTokens;

  const [first] = channels as [number, ...number[]];
  const pieces: Piece[] = [beginning(config, { pixels: pixelsOf(0), tokens })];
  const skips = [first];
  config.down_block_types.forEach((type, level) => {
    const [out, pixels] = [channels[level]!, pixelsOf(level)];
    for (let i = 0; i < atLevel(config.layers_per_block, level); i++) {
      pieces.push(residual(config, { in: i === 0 ? channels[Math.max(level - 1, 0)]! : out, out }, pixels));
      if (attends(type)) pieces.push(transformer(config, { level, pixels, tokens }));
      skips.push(out);
    }
    if (level === levels - 1) return;
    pieces.push(convolution(out * pixels, out * pixelsOf(level + 1)));
    skips.push(out);
  });

  const deepest = levels - 1;
  const [last, pixels] = [channels[deepest]!, pixelsOf(deepest)];
  const middle = residual(config, { in: last, out: last }, pixels);
  if (config.mid_block_type !== null) pieces.push(middle);
  if (config.mid_block_type === "UNetMidBlock2DCrossAttn")
    pieces.push(transformer(config, { level: deepest, pixels, tokens, inMiddle: true }), middle);

  let current = last;
  config.up_block_types.forEach((type, i) => {
    const level = deepest - i;
    const [out, size] = [channels[level]!, pixelsOf(level)];
    for (let layer = 0; layer <= atLevel(config.layers_per_block, level); layer++) {
      pieces.push(residual(config, { in: current + skips.pop()!, out }, size));
      if (attends(type)) pieces.push(transformer(config, { level, pixels: size, tokens }));
      current = out;
    }
    if (level > 0) pieces.push(convolution(out * pixelsOf(level - 1), out * pixelsOf(level - 1)));
  });
  return [...pieces, end(config, pixelsOf(0))];
}

/** Time embedding, text states, first convolution. */
function beginning(config: UNetConfig, { pixels, tokens }: { pixels: number; tokens: number }): Piece {
  const [first] = config.block_out_channels as [number, ...number[]];
  const widths = config.cross_attention_dim;
  const width = typeof widths === "number" ? widths : Math.max(...widths);
  const input = config.in_channels * pixels;
  return {
    // Sinusoids and the first layer's activation go into linear layers; two activations of width 4 first, and what comes out.
    kept: { ...NOTHING, matrix: input + tokens * width + first + 4 * first + 4 * first, norm: 8 * first },
    output: first * pixels,
    isSegment: false,
    largest: first * pixels,
  };
}

/** The last normalisation, activation and convolution, and the difference that the loss squares. */
function end(config: UNetConfig, pixels: number): Piece {
  const [first] = config.block_out_channels as [number, ...number[]];
  const [map, output] = [first * pixels, config.out_channels * pixels];
  const statistics = 2 * config.norm_num_groups + output;
  const kept = { matrix: map, norm: 2 * map, groupNorm: map, activated: map, statistics };
  return { kept, output, isSegment: false, largest: map };
}
