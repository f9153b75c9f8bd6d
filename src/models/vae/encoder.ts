/** Image to latent moments; mirrors diffusers models/autoencoders/vae.py Encoder (double_z). */
import { activation, chain, Conv2d, GroupNorm, Module } from "../../nn/index.ts";
import type { Activation, ParamStore } from "../../nn/index.ts";
import type { Tensor } from "../../torch/index.ts";
import { Downsample } from "../blocks/downsample.ts";
import { ResnetBlock } from "../blocks/resnet-block.ts";
import { item } from "../config.ts";
import type { VaeConfig } from "./config.ts";
import { VaeMidBlock } from "./mid-block.ts";
import type { VaeBlockConfig } from "./mid-block.ts";

class DownEncoderBlock extends Module {
  readonly #resnets: ResnetBlock[];
  readonly #downsampler: Downsample | undefined;

  constructor(
    vs: ParamStore,
    { inChannels, outChannels, layers }: { inChannels: number; outChannels: number; layers: number },
    { downsample, ...block }: VaeBlockConfig & { downsample: boolean },
  ) {
    super(vs);
    this.#resnets = Array.from({ length: layers }, (_, i) => {
      const sizes = { inChannels: i === 0 ? inChannels : outChannels, outChannels };
      return new ResnetBlock(vs.at("resnets", i), { ...block, ...sizes });
    });
    if (downsample) this.#downsampler = new Downsample(vs.at("downsamplers", 0), outChannels, { padding: 0 });
  }

  forward(xs: Tensor): Tensor {
    const steps = [...this.#resnets, ...(this.#downsampler ? [this.#downsampler] : [])];
    return chain(
      xs,
      steps.map((step) => (h) => step.forward(h)),
    );
  }
}

export class Encoder extends Module {
  readonly #convIn: Conv2d;
  readonly #downBlocks: DownEncoderBlock[];
  readonly #midBlock: VaeMidBlock;
  readonly #convNormOut: GroupNorm;
  readonly #convOut: Conv2d;
  readonly #act: Activation;

  constructor(vs: ParamStore, config: VaeConfig) {
    super(vs);
    const { block_out_channels: channels, layers_per_block: layers, norm_num_groups: groups } = config;
    const [first, last] = [item(channels, 0), item(channels, -1)];
    const block = { groups, eps: 1e-6, act: activation(config.act_fn) };
    this.#act = activation("silu");
    this.#convIn = new Conv2d(vs.at("conv_in"), config.in_channels, first);
    this.#downBlocks = channels.map((outChannels, i) => {
      const sizes = { inChannels: item(channels, Math.max(i - 1, 0)), outChannels, layers };
      return new DownEncoderBlock(vs.at("down_blocks", i), sizes, {
        ...block,
        downsample: i < channels.length - 1,
      });
    });
    const addAttention = config.mid_block_add_attention;
    this.#midBlock = new VaeMidBlock(vs.at("mid_block"), last, { ...block, addAttention });
    this.#convNormOut = new GroupNorm(vs.at("conv_norm_out"), groups, last, { eps: 1e-6 });
    this.#convOut = new Conv2d(vs.at("conv_out"), last, 2 * config.latent_channels);
  }

  /** Images [B, in_channels, H, W] -> mean and log-variance [B, 2 latent_channels, H / f, W / f]. */
  forward(images: Tensor): Tensor {
    return chain(images, [
      (h) => this.#convIn.forward(h),
      ...this.#downBlocks.map((block) => (h: Tensor) => block.forward(h)),
      (h) => this.#midBlock.forward(h),
      (h) => this.#convNormOut.forwardThen(h, this.#act),
      (h) => this.#convOut.forward(h),
    ]);
  }
}
