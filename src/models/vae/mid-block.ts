/**
 * The middle of encoder and decoder: two residual blocks around one single-head self-attention over pixels.
 * Mirrors diffusers UNetMidBlock2D.
 */
import { GroupNorm, Linear, Module, multiHeadAttention } from "../../nn/index.ts";
import type { Activation, ParamStore } from "../../nn/index.ts";
import { scope } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";
import { ResnetBlock } from "../blocks/resnet-block.ts";

export interface VaeBlockConfig {
  readonly groups: number;
  readonly eps: number;
  readonly act: Activation;
}

/** Names of the projections: today's, and those of files published before 2023 (Stable Diffusion 1.x). */
const NAMES = { q: ["to_q"], k: ["to_k"], v: ["to_v"], out: ["to_out", 0] } as const;
const OLD_NAMES = { q: ["query"], k: ["key"], v: ["value"], out: ["proj_attn"] } as const;

class PixelAttention extends Module {
  readonly #groupNorm: GroupNorm;
  readonly #toQ: Linear;
  readonly #toK: Linear;
  readonly #toV: Linear;
  readonly #toOut: Linear;

  constructor(vs: ParamStore, channels: number, { groups, eps }: VaeBlockConfig) {
    super(vs);
    const names = vs.has("query.weight") ? OLD_NAMES : NAMES;
    this.#groupNorm = new GroupNorm(vs.at("group_norm"), groups, channels, { eps });
    this.#toQ = new Linear(vs.at(...names.q), channels, channels);
    this.#toK = new Linear(vs.at(...names.k), channels, channels);
    this.#toV = new Linear(vs.at(...names.v), channels, channels);
    this.#toOut = new Linear(vs.at(...names.out), channels, channels);
  }

  /** [B, C, H, W] -> [B, C, H, W]. */
  forward(xs: Tensor): Tensor {
    return scope(() => {
      const tokens = this.#groupNorm.forward(xs).flatten(2).transpose(1, 2);
      const [q, k, v] = [this.#toQ.forward(tokens), this.#toK.forward(tokens), this.#toV.forward(tokens)];
      const out = this.#toOut.forward(multiHeadAttention(q, k, v, { heads: 1 }));
      return out
        .transpose(1, 2)
        .reshape([...xs.shape])
        .add(xs);
    });
  }
}

export class VaeMidBlock extends Module {
  readonly #attention: PixelAttention | undefined;
  readonly #resnets: [ResnetBlock, ResnetBlock];

  constructor(vs: ParamStore, channels: number, config: VaeBlockConfig & { addAttention: boolean }) {
    super(vs);
    const { addAttention, ...block } = config;
    const sizes = { inChannels: channels, outChannels: channels };
    if (addAttention) this.#attention = new PixelAttention(vs.at("attentions", 0), channels, block);
    this.#resnets = [
      new ResnetBlock(vs.at("resnets", 0), { ...block, ...sizes }),
      new ResnetBlock(vs.at("resnets", 1), { ...block, ...sizes }),
    ];
  }

  /** [B, C, H, W] -> [B, C, H, W]. */
  forward(xs: Tensor): Tensor {
    const h = this.#resnets[0].forward(xs);
    return this.#resnets[1].forward(this.#attention?.forward(h) ?? h);
  }
}
