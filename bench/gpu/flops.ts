// The FLOP table: multiplications and additions of the networks' products (convolutions, linear layers, attention) for one
// image, from the architecture alone. Norms, activations and biases are left out, as in every published count.
import { unetConfig, type UNetConfig, vaeConfig, type VaeConfig } from "../../src/models/index.ts";

/** Height and width of a feature map. */
type Size = readonly [height: number, width: number];

const pixels = ([height, width]: Size): number => height * width;
const half = ([height, width]: Size): Size => [Math.ceil(height / 2), Math.ceil(width / 2)];

const linear = (rows: number, inputs: number, outputs: number): number => 2 * rows * inputs * outputs;

/** A convolution by the size of its output. */
const conv = (inputs: number, outputs: number, size: Size, kernel = 3): number =>
  linear(pixels(size), inputs * kernel ** 2, outputs);

/** Queries on keys, weights on values. */
const attention = (queries: number, keys: number, channels: number): number =>
  2 * linear(queries, channels, keys);

const residual = (inputs: number, outputs: number, size: Size, time = 0): number =>
  conv(inputs, outputs, size) +
  conv(outputs, outputs, size) +
  linear(1, time, outputs) +
  (inputs === outputs ? 0 : conv(inputs, outputs, size, 1));

interface TransformerSize {
  readonly layers: number;
  readonly tokens: number;
  readonly context: number;
}

function transformer(channels: number, size: Size, { layers, tokens, context }: TransformerSize): number {
  const rows = pixels(size);
  const itself = 4 * linear(rows, channels, channels) + attention(rows, rows, channels);
  const text =
    2 * linear(rows, channels, channels) +
    2 * linear(tokens, context, channels) +
    attention(rows, tokens, channels);
  const feedForward = linear(rows, channels, 8 * channels) + linear(rows, 4 * channels, channels);
  return 2 * conv(channels, channels, size, 1) + layers * (itself + text + feedForward);
}

const perLevel = <T extends number>(value: T | readonly T[], level: number): T =>
  typeof value === "number" ? value : value[level]!;

export interface UNetInput {
  /** Height and width of the latents. */
  readonly size: Size;
  /** Tokens of the text states. */
  readonly tokens: number;
}

/** FLOPs of one image through the U-Net, forwards; a training step's backward pass takes twice as many. */
export function unetFlops(given: Partial<UNetConfig>, { size, tokens }: UNetInput): number {
  const config = unetConfig(given);
  const { block_out_channels: channels, down_block_types: down, up_block_types: up } = config;
  const [first, last, top] = [channels[0]!, channels.at(-1)!, channels.length - 1];
  const time = 4 * first;
  const attend = (level: number, at: Size): number =>
    transformer(channels[level]!, at, {
      layers: perLevel(config.transformer_layers_per_block, level),
      tokens,
      context: perLevel(config.cross_attention_dim, level),
    });
  const attends = (type: string): boolean => type.startsWith("CrossAttn");

  let at = size;
  let sum = linear(1, first, time) + linear(1, time, time);
  sum += conv(config.in_channels, first, at, config.conv_in_kernel);
  const sizes: Size[] = [at];
  const skips = [first];
  let width = first;
  down.forEach((type, level) => {
    for (let i = 0; i < perLevel(config.layers_per_block, level); i++) {
      sum += residual(width, channels[level]!, at, time) + (attends(type) ? attend(level, at) : 0);
      width = channels[level]!;
      skips.push(width);
    }
    if (level === top) return;
    at = half(at);
    sizes.push(at);
    sum += conv(width, width, at);
    skips.push(width);
  });
  if (config.mid_block_type === "UNetMidBlock2DCrossAttn")
    sum += 2 * residual(last, last, at, time) + attend(top, at);
  else if (config.mid_block_type !== null) sum += residual(last, last, at, time);
  up.forEach((type, step) => {
    const level = top - step;
    for (let i = 0; i <= perLevel(config.layers_per_block, level); i++) {
      sum +=
        residual(width + skips.pop()!, channels[level]!, at, time) + (attends(type) ? attend(level, at) : 0);
      width = channels[level]!;
    }
    if (level === 0) return;
    at = sizes[level - 1]!;
    sum += conv(width, width, at);
  });
  return sum + conv(first, config.out_channels, at, config.conv_out_kernel);
}

function vaeMiddle(channels: number, size: Size, { mid_block_add_attention: attends }: VaeConfig): number {
  const rows = pixels(size);
  const own = attends ? 4 * linear(rows, channels, channels) + attention(rows, rows, channels) : 0;
  return 2 * residual(channels, channels, size) + own;
}

/** FLOPs of one image of this size in pixels through the encoder. */
export function encoderFlops(given: Partial<VaeConfig>, size: Size): number {
  const config = vaeConfig(given);
  const channels = config.block_out_channels;
  const moments = 2 * config.latent_channels;
  let [at, width, sum] = [size, channels[0]!, conv(config.in_channels, channels[0]!, size)];
  channels.forEach((outputs, level) => {
    for (let i = 0; i < config.layers_per_block; i++) {
      sum += residual(width, outputs, at);
      width = outputs;
    }
    if (level === channels.length - 1) return;
    at = half(at);
    sum += conv(width, width, at);
  });
  const quantised = config.use_quant_conv ? conv(moments, moments, at, 1) : 0;
  return sum + vaeMiddle(width, at, config) + conv(width, moments, at) + quantised;
}

/** FLOPs of the latents of one image, of this size, through the decoder. */
export function decoderFlops(given: Partial<VaeConfig>, size: Size): number {
  const config = vaeConfig(given);
  const { block_out_channels, latent_channels: latents } = config;
  const channels = block_out_channels.toReversed();
  let [at, width] = [size, channels[0]!];
  let sum = conv(latents, width, at) + vaeMiddle(width, at, config);
  if (config.use_post_quant_conv) sum += conv(latents, latents, at, 1);
  channels.forEach((outputs, level) => {
    for (let i = 0; i <= config.layers_per_block; i++) {
      sum += residual(width, outputs, at);
      width = outputs;
    }
    if (level === channels.length - 1) return;
    at = [2 * at[0], 2 * at[1]];
    sum += conv(width, width, at);
  });
  return sum + conv(width, config.out_channels, at);
}
