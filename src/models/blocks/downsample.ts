/** Halves height and width with a strided 3x3 convolution, key `conv`; mirrors diffusers Downsample2D(use_conv=True). */
import { Conv2d, Module } from "../../nn/index.ts";
import type { ParamStore } from "../../nn/index.ts";
import { pad, scope } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";

export class Downsample extends Module {
  readonly #conv: Conv2d;
  readonly #asymmetric: boolean;

  /** @param padding 1 as in the U-Net; 0 pads right and bottom only, as the VAE encoder does. */
  constructor(vs: ParamStore, channels: number, { padding }: { padding: number }) {
    super(vs);
    this.#conv = new Conv2d(vs.at("conv"), channels, channels, { stride: 2, padding });
    this.#asymmetric = padding === 0;
  }

  /** [B, C, H, W] -> [B, C, H/2, W/2]. */
  forward(xs: Tensor): Tensor {
    if (!this.#asymmetric) return this.#conv.forward(xs);
    return scope(() => this.#conv.forward(pad(xs, [0, 1, 0, 1])));
  }
}
