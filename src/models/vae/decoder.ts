/** Latents to image; mirrors diffusers models/autoencoders/vae.py Decoder (norm_type "group"). */
import { activation, chain, Conv2d, GroupNorm, Module } from "../../nn/index.ts";
import type { Activation, ParamStore } from "../../nn/index.ts";
import type { Tensor } from "../../torch/index.ts";
import { ResnetBlock } from "../blocks/resnet-block.ts";
import { Upsample } from "../blocks/upsample.ts";
import { item } from "../config.ts";
import type { VaeConfig } from "./config.ts";
import { VaeMidBlock } from "./mid-block.ts";
import type { VaeBlockConfig } from "./mid-block.ts";

class UpDecoderBlock extends Module {
  readonly #resnets: ResnetBlock[];
  readonly #upsampler: Upsample | undefined;

  constructor(
    vs: ParamStore,
    { inChannels, outChannels, layers }: { inChannels: number; outChannels: number; layers: number },
    { upsample, ...block }: VaeBlockConfig & { upsample: boolean },
  ) {
    super(vs);
    this.#resnets = Array.from({ length: layers }, (_, i) => {
      const sizes = { inChannels: i === 0 ? inChannels : outChannels, outChannels };
      return new ResnetBlock(vs.at("resnets", i), { ...block, ...sizes });
    });
    if (upsample) this.#upsampler = new Upsample(vs.at("upsamplers", 0), outChannels);
  }

  forward(xs: Tensor): Tensor {
    const steps = [...this.#resnets, ...(this.#upsampler ? [this.#upsampler] : [])];
    return chain(
      xs,
      steps.map((step) => (h) => step.forward(h)),
    );
  }
}

export class Decoder extends Module {
  readonly #convIn: Conv2d;
  readonly #midBlock: VaeMidBlock;
  readonly #upBlocks: UpDecoderBlock[];
  readonly #convNormOut: GroupNorm;
  readonly #convOut: Conv2d;
  readonly #act: Activation;

  constructor(vs: ParamStore, config: VaeConfig) {
    super(vs);
    const { layers_per_block: layers, norm_num_groups: groups } = config;
    const channels = [...config.block_out_channels].reverse();
    const [first, last] = [item(channels, 0), item(channels, -1)];
    const block = { groups, eps: 1e-6, act: activation(config.act_fn) };
    this.#act = activation("silu");
    this.#convIn = new Conv2d(vs.at("conv_in"), config.latent_channels, first);
    const addAttention = config.mid_block_add_attention;
    this.#upBlocks = channels.map((outChannels, i) => {
      const sizes = { inChannels: item(channels, Math.max(i - 1, 0)), outChannels, layers: layers + 1 };
      return new UpDecoderBlock(vs.at("up_blocks", i), sizes, {
        ...block,
        upsample: i < channels.length - 1,
      });
    });
    this.#midBlock = new VaeMidBlock(vs.at("mid_block"), first, { ...block, addAttention });
    this.#convNormOut = new GroupNorm(vs.at("conv_norm_out"), groups, last, { eps: 1e-6 });
    this.#convOut = new Conv2d(vs.at("conv_out"), last, config.out_channels);
  }

  /** Latents [B, latent_channels, h, w] -> images [B, out_channels, f h, f w]. */
  forward(latents: Tensor): Tensor {
    return chain(latents, [
      (h) => this.#convIn.forward(h),
      (h) => this.#midBlock.forward(h),
      ...this.#upBlocks.map((block) => (h: Tensor) => block.forward(h)),
      (h) => this.#convNormOut.forwardThen(h, this.#act),
      (h) => this.#convOut.forward(h),
    ]);
  }
}
