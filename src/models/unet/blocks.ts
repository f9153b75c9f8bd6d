/**
 * The down, middle and up blocks of the U-Net: residual blocks, each followed by a transformer where the block type says
 * so. Mirrors diffusers models/unets/unet_2d_blocks.py (CrossAttn)DownBlock2D, UNetMidBlock2D(CrossAttn), (CrossAttn)UpBlock2D.
 */
import { chain, checkpointed, Module } from "../../nn/index.ts";
import type { Activation, ParamStore } from "../../nn/index.ts";
import { cat, scope } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";
import { Downsample } from "../blocks/downsample.ts";
import { ResnetBlock } from "../blocks/resnet-block.ts";
import { Upsample } from "../blocks/upsample.ts";
import { item } from "../config.ts";
import { Transformer2D } from "./transformer-2d.ts";
import type { Transformer2DConfig } from "./transformer-2d.ts";

export interface UNetBlockConfig {
  readonly tembChannels: number;
  readonly groups: number;
  readonly eps: number;
  readonly act: Activation;
  /** Undefined: no attention at this level. */
  readonly transformer?: Transformer2DConfig;
}

/** What every block gets besides its feature map. */
export interface Conditioning {
  /** Time embedding after its activation, [B, tembChannels]. */
  readonly tembAct: Tensor;
  /** Text states [B, M, contextDim]. */
  readonly context: Tensor;
}

const transformers = (
  vs: ParamStore,
  count: number,
  channels: number,
  config: Transformer2DConfig | undefined,
) =>
  config === undefined
    ? []
    : Array.from({ length: count }, (_, i) => new Transformer2D(vs.at("attentions", i), channels, config));

// The segments of gradient checkpointing: each residual block and each transformer by itself.
const residual = (block: ResnetBlock, xs: Tensor, tembAct: Tensor) =>
  checkpointed((h, temb) => block.forward(h, temb), [xs, tembAct]);
const residualOfBoth = (block: ResnetBlock, xs: Tensor, skip: Tensor, tembAct: Tensor) =>
  checkpointed((h, other, temb) => scope(() => block.forward(cat([h, other], 1), temb)), [xs, skip, tembAct]);
const attend = (block: Transformer2D | undefined, xs: Tensor, context: Tensor) =>
  block === undefined ? xs : checkpointed((h, states) => block.forward(h, states), [xs, context]);

export class DownBlock extends Module {
  readonly #resnets: ResnetBlock[];
  readonly #attentions: Transformer2D[];
  readonly #downsampler: Downsample | undefined;

  constructor(
    vs: ParamStore,
    { inChannels, outChannels, layers }: { inChannels: number; outChannels: number; layers: number },
    {
      transformer,
      downsamplePadding,
      ...resnet
    }: UNetBlockConfig & { downsamplePadding: number | undefined },
  ) {
    super(vs);
    this.#attentions = transformers(vs, layers, outChannels, transformer);
    this.#resnets = Array.from({ length: layers }, (_, i) => {
      const channels = { inChannels: i === 0 ? inChannels : outChannels, outChannels };
      return new ResnetBlock(vs.at("resnets", i), { ...resnet, ...channels });
    });
    if (downsamplePadding !== undefined) {
      this.#downsampler = new Downsample(vs.at("downsamplers", 0), outChannels, {
        padding: downsamplePadding,
      });
    }
  }

  /** All states of the block, for the skip connections; the last one goes on. */
  forward(xs: Tensor, { tembAct, context }: Conditioning): Tensor[] {
    const states: Tensor[] = [];
    let h = xs;
    this.#resnets.forEach((resnet, i) => {
      h = chain(h, [
        (map) => residual(resnet, map, tembAct),
        (map) => attend(this.#attentions[i], map, context),
      ]);
      states.push(h);
    });
    if (this.#downsampler !== undefined) states.push(this.#downsampler.forward(h));
    return states;
  }
}

export class MidBlock extends Module {
  readonly #first: ResnetBlock;
  readonly #attention: Transformer2D | undefined;
  readonly #second: ResnetBlock | undefined;

  /** Two residual blocks around a transformer, or without one (UNetMidBlock2D as U-Nets make it) a single block. */
  constructor(
    vs: ParamStore,
    channels: number,
    { transformer, ...resnet }: UNetBlockConfig & { outputScaleFactor: number },
  ) {
    super(vs);
    const block = (i: number) =>
      new ResnetBlock(vs.at("resnets", i), { ...resnet, inChannels: channels, outChannels: channels });
    if (transformer !== undefined) {
      this.#attention = new Transformer2D(vs.at("attentions", 0), channels, transformer);
    }
    this.#first = block(0);
    if (transformer !== undefined) this.#second = block(1);
  }

  /** [B, C, H, W] -> [B, C, H, W]. */
  forward(xs: Tensor, { tembAct, context }: Conditioning): Tensor {
    const second = this.#second;
    return chain(xs, [
      (map) => residual(this.#first, map, tembAct),
      (map) => attend(this.#attention, map, context),
      ...(second === undefined ? [] : [(map: Tensor) => residual(second, map, tembAct)]),
    ]);
  }
}

export class UpBlock extends Module {
  readonly #resnets: ResnetBlock[];
  readonly #attentions: Transformer2D[];
  readonly #upsampler: Upsample | undefined;

  /** @param skipChannels channels of the skip connections in the order in which they are used. */
  constructor(
    vs: ParamStore,
    {
      inChannels,
      outChannels,
      skipChannels,
    }: { inChannels: number; outChannels: number; skipChannels: number[] },
    { transformer, upsample, ...resnet }: UNetBlockConfig & { upsample: boolean },
  ) {
    super(vs);
    this.#attentions = transformers(vs, skipChannels.length, outChannels, transformer);
    this.#resnets = skipChannels.map((skip, i) => {
      const channels = { inChannels: (i === 0 ? inChannels : outChannels) + skip, outChannels };
      return new ResnetBlock(vs.at("resnets", i), { ...resnet, ...channels });
    });
    if (upsample) this.#upsampler = new Upsample(vs.at("upsamplers", 0), outChannels);
  }

  /** Takes (and releases) its skip connections from the end of `skips`; the next one left tells the size to grow to. */
  forward(xs: Tensor, skips: Tensor[], { tembAct, context }: Conditioning): Tensor {
    const levels = this.#resnets.flatMap((resnet, i) => [
      (map: Tensor) => {
        using skip = item(skips, -1);
        skips.pop();
        return residualOfBoth(resnet, map, skip, tembAct);
      },
      (map: Tensor) => attend(this.#attentions[i], map, context),
    ]);
    const grow = (map: Tensor) => {
      const size = skips.at(-1)?.shape.slice(2) as [number, number] | undefined;
      return this.#upsampler?.forward(map, size) ?? map;
    };
    return chain(xs, [...levels, grow]);
  }
}
