/** Convolution, batch norm, ReLU: keys `conv.weight` and `bn.*` as in torchvision's BasicConv2d (Inception). */
import { BatchNorm2d, chain, Conv2d, Module } from "../../nn/index.ts";
import type { Conv2dOptions, ParamStore } from "../../nn/index.ts";
import type { Tensor } from "../../torch/index.ts";

const EPS = 0.001;

export class ConvNormRelu extends Module {
  readonly #conv: Conv2d;
  readonly #bn: BatchNorm2d;

  constructor(vs: ParamStore, inChannels: number, outChannels: number, options: Conv2dOptions) {
    super(vs);
    this.#conv = new Conv2d(vs.at("conv"), inChannels, outChannels, { ...options, bias: false });
    this.#bn = new BatchNorm2d(vs.at("bn"), outChannels, { eps: EPS });
  }

  /** [B, in, H, W] -> [B, out, H', W']. */
  forward(xs: Tensor): Tensor {
    return chain(xs, [(h) => this.#conv.forward(h), (h) => this.#bn.forward(h), (h) => h.relu()]);
  }
}
