/** Doubles height and width by repeating pixels, then a 3x3 convolution, key `conv`; mirrors diffusers Upsample2D. */
import { Conv2d, Module } from "../../nn/index.ts";
import type { ParamStore } from "../../nn/index.ts";
import { scope, upsampleNearest2d } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";

export class Upsample extends Module {
  readonly #conv: Conv2d;

  constructor(vs: ParamStore, channels: number) {
    super(vs);
    this.#conv = new Conv2d(vs.at("conv"), channels, channels);
  }

  /** [B, C, H, W] -> [B, C, 2H, 2W], or to `size` [height, width] where a skip connection needs an odd one. */
  forward(xs: Tensor, size?: readonly [number, number]): Tensor {
    const [, , height, width] = xs.shape as [number, number, number, number];
    return scope(() => this.#conv.forward(upsampleNearest2d(xs, [...(size ?? [2 * height, 2 * width])])));
  }
}
