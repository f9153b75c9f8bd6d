/**
 * The conditional U-Net of Stable Diffusion: predicts the noise (or velocity) of latents at a timestep, given text states.
 * Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597; Rombach et al. 2021, https://arxiv.org/abs/2112.10752.
 * Keys and configuration are those of diffusers UNet2DConditionModel.
 */
import { activation, buildFromTensors, chain, Conv2d, GroupNorm, Module } from "../../nn/index.ts";
import { ParamStore, SinusoidalTimesteps, TimestepEmbedding } from "../../nn/index.ts";
import type { Activation } from "../../nn/index.ts";
import { sameDevice, scope, tensor, upload } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";
import { item, perLevel } from "../config.ts";
import { DownBlock, MidBlock, UpBlock } from "./blocks.ts";
import { unetConfig } from "./config.ts";
import type { UNetConfig } from "./config.ts";
import type { Transformer2DConfig } from "./transformer-2d.ts";

export class UNet2DConditionModel extends Module {
  readonly config: UNetConfig;
  readonly #timeProj: SinusoidalTimesteps;
  readonly #timeEmbedding: TimestepEmbedding;
  readonly #convIn: Conv2d;
  readonly #downBlocks: DownBlock[];
  readonly #midBlock: MidBlock | undefined;
  readonly #upBlocks: UpBlock[];
  readonly #convNormOut: GroupNorm;
  readonly #convOut: Conv2d;
  readonly #act: Activation;

  constructor(vs: ParamStore, given: Partial<UNetConfig> = {}) {
    super(vs);
    const config = unetConfig(given);
    this.config = config;
    this.#act = activation(config.act_fn);
    const channels = config.block_out_channels;
    const [first, last] = [item(channels, 0), item(channels, -1)];
    const tembChannels = 4 * first;
    const resnet = { tembChannels, groups: config.norm_num_groups, eps: config.norm_eps, act: this.#act };

    this.#convIn = new Conv2d(vs.at("conv_in"), config.in_channels, first, {
      kernelSize: config.conv_in_kernel,
    });
    const sinusoids = { flipSinToCos: config.flip_sin_to_cos, downscaleFreqShift: config.freq_shift };
    this.#timeProj = new SinusoidalTimesteps(vs.at("time_proj"), first, sinusoids);
    this.#timeEmbedding = new TimestepEmbedding(vs.at("time_embedding"), first, tembChannels, {
      actFn: config.act_fn,
    });
    this.#downBlocks = downBlocks(vs, config, resnet);
    this.#upBlocks = upBlocks(vs, config, resnet);
    if (config.mid_block_type !== null) {
      const transformer =
        config.mid_block_type === "UNetMidBlock2DCrossAttn"
          ? { ...transformerOfLevel(config, channels.length - 1), onlyCrossAttention: false }
          : undefined;
      const outputScaleFactor = config.mid_block_scale_factor;
      this.#midBlock = new MidBlock(vs.at("mid_block"), last, { ...resnet, transformer, outputScaleFactor });
    }
    this.#convNormOut = new GroupNorm(vs.at("conv_norm_out"), config.norm_num_groups, first, {
      eps: config.norm_eps,
    });
    this.#convOut = new Conv2d(vs.at("conv_out"), first, config.out_channels, {
      kernelSize: config.conv_out_kernel,
    });
  }

  /** A new model with values drawn from `seed`. */
  static seeded(config: Partial<UNetConfig>, seed: number): UNet2DConditionModel {
    return new UNet2DConditionModel(ParamStore.seeded({ seed }), config);
  }

  /** An independent model with the same values. */
  clone(): UNet2DConditionModel {
    return buildFromTensors(this.stateDict(), (vs) => new UNet2DConditionModel(vs, this.config), {
      copy: true,
    });
  }

  /**
   * The prediction for `sample` [B, in_channels, H, W], `timesteps` (a number, [] or [B]) and `encoderHiddenStates`
   * [B, L, cross_attention_dim]: [B, out_channels, H, W].
   */
  forward(sample: Tensor, timesteps: Tensor | number, encoderHiddenStates: Tensor): Tensor {
    return scope(() => {
      // 0. centre the input
      const input = this.config.center_input_sample ? sample.mul(2).sub(1) : sample;

      // 1. time
      const temb = this.#timeEmbedding.forward(
        this.#timeProj.forward(timestepsFor(sample, timesteps)).to(sample.dtype),
      );
      const conditioning = { tembAct: this.#act(temb), context: encoderHiddenStates };

      // 2. pre-process
      let h = this.#convIn.forward(input);

      // 3. down
      const skips = [h];
      for (const block of this.#downBlocks) {
        const states = block.forward(h, conditioning);
        skips.push(...states);
        h = item(states, -1);
      }

      // 4. middle
      h = this.#midBlock?.forward(h, conditioning) ?? h;

      // 5. up, 6. post-process
      return chain(h, [
        ...this.#upBlocks.map((block) => (xs: Tensor) => block.forward(xs, skips, conditioning)),
        (xs) => this.#convNormOut.forwardThen(xs, this.#act),
        (xs) => this.#convOut.forward(xs),
      ]);
    });
  }
}

/** Timesteps as [B] on the sample's device. */
function timestepsFor(sample: Tensor, timesteps: Tensor | number): Tensor {
  const batch = item(sample.shape, 0);
  const given = typeof timesteps === "number" ? tensor([timesteps]) : timesteps;
  const onDevice = sameDevice(given.device, sample.device) ? given : upload(given, sample.device);
  return onDevice.shape[0] === batch ? onDevice : onDevice.expand([batch]);
}

type ResnetConfig = Readonly<{ tembChannels: number; groups: number; eps: number; act: Activation }>;

function transformerOfLevel(config: UNetConfig, level: number): Transformer2DConfig {
  const levels = config.block_out_channels.length;
  const of = (option: "attention_head_dim" | "cross_attention_dim" | "transformer_layers_per_block") =>
    item(perLevel(option, config[option], levels), level);
  const onlyCrossAttention = perLevel<boolean>("only_cross_attention", config.only_cross_attention, levels);
  return {
    heads: of("attention_head_dim"),
    contextDim: of("cross_attention_dim"),
    layers: of("transformer_layers_per_block"),
    groups: config.norm_num_groups,
    useLinearProjection: config.use_linear_projection,
    onlyCrossAttention: item(onlyCrossAttention, level),
  };
}

function downBlocks(vs: ParamStore, config: UNetConfig, resnet: ResnetConfig): DownBlock[] {
  const channels = config.block_out_channels;
  const layers = perLevel("layers_per_block", config.layers_per_block, channels.length);
  return config.down_block_types.map((type, i) => {
    const size = {
      inChannels: item(channels, Math.max(i - 1, 0)),
      outChannels: item(channels, i),
      layers: item(layers, i),
    };
    const transformer = type === "CrossAttnDownBlock2D" ? transformerOfLevel(config, i) : undefined;
    const downsamplePadding = i < channels.length - 1 ? config.downsample_padding : undefined;
    return new DownBlock(vs.at("down_blocks", i), size, { ...resnet, transformer, downsamplePadding });
  });
}

function upBlocks(vs: ParamStore, config: UNetConfig, resnet: ResnetConfig): UpBlock[] {
  const channels = config.block_out_channels;
  const layers = perLevel("layers_per_block", config.layers_per_block, channels.length);
  return config.up_block_types.map((type, i) => {
    const level = channels.length - 1 - i;
    const outChannels = item(channels, level);
    const below = item(channels, Math.max(level - 1, 0));
    const count = item(layers, level) + 1;
    const skipChannels = Array.from({ length: count }, (_, j) => (j === count - 1 ? below : outChannels));
    const size = {
      inChannels: item(channels, Math.min(level + 1, channels.length - 1)),
      outChannels,
      skipChannels,
    };
    const transformer = type === "CrossAttnUpBlock2D" ? transformerOfLevel(config, level) : undefined;
    return new UpBlock(vs.at("up_blocks", i), size, { ...resnet, transformer, upsample: level > 0 });
  });
}
