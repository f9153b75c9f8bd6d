/**
 * The residual block of U-Net and VAE: two normalised 3x3 convolutions with the time embedding added between them.
 * He et al. 2015, https://arxiv.org/abs/1512.03385; Ho et al. 2020, https://arxiv.org/abs/2006.11239.
 * Mirrors diffusers models/resnet.py ResnetBlock2D (time_embedding_norm "default").
 */
import { chain, Conv2d, GroupNorm, Linear, Module } from "../../nn/index.ts";
import type { Activation, ParamStore } from "../../nn/index.ts";
import { scope } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";

export interface ResnetBlockConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  /** Undefined: no time embedding (VAE). */
  readonly tembChannels?: number;
  readonly groups: number;
  readonly eps: number;
  readonly act: Activation;
  readonly outputScaleFactor?: number;
}

export class ResnetBlock extends Module {
  readonly #norm1: GroupNorm;
  readonly #conv1: Conv2d;
  readonly #timeEmbProj: Linear | undefined;
  readonly #norm2: GroupNorm;
  readonly #conv2: Conv2d;
  readonly #convShortcut: Conv2d | undefined;
  readonly #act: Activation;
  readonly #outputScaleFactor: number;

  constructor(vs: ParamStore, config: ResnetBlockConfig) {
    super(vs);
    const { inChannels, outChannels, tembChannels, groups, eps, act, outputScaleFactor = 1 } = config;
    this.#norm1 = new GroupNorm(vs.at("norm1"), groups, inChannels, { eps });
    this.#conv1 = new Conv2d(vs.at("conv1"), inChannels, outChannels);
    if (tembChannels !== undefined) {
      this.#timeEmbProj = new Linear(vs.at("time_emb_proj"), tembChannels, outChannels);
    }
    this.#norm2 = new GroupNorm(vs.at("norm2"), groups, outChannels, { eps });
    this.#conv2 = new Conv2d(vs.at("conv2"), outChannels, outChannels);
    if (inChannels !== outChannels) {
      this.#convShortcut = new Conv2d(vs.at("conv_shortcut"), inChannels, outChannels, { kernelSize: 1 });
    }
    this.#act = act;
    this.#outputScaleFactor = outputScaleFactor;
  }

  /**
   * [B, in, H, W] -> [B, out, H, W].
   * @param tembAct the time embedding [B, tembChannels] *after* its activation, which all blocks share.
   */
  forward(xs: Tensor, tembAct?: Tensor): Tensor {
    return scope(() => {
      // Chains, so that full-size feature maps go as soon as the next one is there.
      const half = (norm: GroupNorm, conv: Conv2d) => [
        (h: Tensor) => norm.forwardThen(h, this.#act),
        (h: Tensor) => conv.forward(h),
      ];
      const temb = this.#timeEmbProj;
      const time =
        temb !== undefined && tembAct !== undefined
          ? [(h: Tensor) => h.add(temb.forward(tembAct).unsqueeze(-1).unsqueeze(-1))]
          : [];
      const h = chain(xs, [...half(this.#norm1, this.#conv1), ...time, ...half(this.#norm2, this.#conv2)]);
      const sum = (this.#convShortcut?.forward(xs) ?? xs).add(h);
      return this.#outputScaleFactor === 1 ? sum : sum.div(this.#outputScaleFactor);
    });
  }
}
