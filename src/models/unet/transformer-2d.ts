/**
 * Transformer over the pixels of a feature map, with a residual around it.
 * Rombach et al. 2021, https://arxiv.org/abs/2112.10752; mirrors diffusers Transformer2DModel (continuous input).
 */
import { Conv2d, GroupNorm, Linear, Module } from "../../nn/index.ts";
import type { ParamStore } from "../../nn/index.ts";
import { scope } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";
import { BasicTransformerBlock } from "./transformer-block.ts";

export interface Transformer2DConfig {
  readonly heads: number;
  readonly contextDim: number;
  readonly layers: number;
  readonly groups: number;
  readonly useLinearProjection: boolean;
  /** The first attention looks at the text states too. */
  readonly onlyCrossAttention: boolean;
}

export class Transformer2D extends Module {
  readonly #norm: GroupNorm;
  readonly #projIn: Conv2d | Linear;
  readonly #blocks: BasicTransformerBlock[];
  readonly #projOut: Conv2d | Linear;

  constructor(vs: ParamStore, channels: number, config: Transformer2DConfig) {
    super(vs);
    const { layers, groups, useLinearProjection, ...block } = config;
    const projection = (path: ParamStore) =>
      useLinearProjection
        ? new Linear(path, channels, channels)
        : new Conv2d(path, channels, channels, { kernelSize: 1 });
    this.#norm = new GroupNorm(vs.at("norm"), groups, channels, { eps: 1e-6 });
    this.#projIn = projection(vs.at("proj_in"));
    this.#blocks = Array.from(
      { length: layers },
      (_, i) => new BasicTransformerBlock(vs.at("transformer_blocks", i), { dim: channels, ...block }),
    );
    this.#projOut = projection(vs.at("proj_out"));
  }

  /** [B, C, H, W] with text states [B, M, contextDim] -> [B, C, H, W]. */
  forward(xs: Tensor, context: Tensor): Tensor {
    const [batch, channels, height, width] = xs.shape as [number, number, number, number];
    const toTokens = (map: Tensor) => map.permute([0, 2, 3, 1]).reshape([batch, height * width, channels]);
    const toMap = (tokens: Tensor) => tokens.view([batch, height, width, channels]).permute([0, 3, 1, 2]);
    return scope(() => {
      let h = this.#norm.forward(xs);
      h =
        this.#projIn instanceof Linear
          ? this.#projIn.forward(toTokens(h))
          : toTokens(this.#projIn.forward(h));
      for (const block of this.#blocks) h = block.forward(h, context);
      h = this.#projOut instanceof Linear ? toMap(this.#projOut.forward(h)) : this.#projOut.forward(toMap(h));
      return xs.add(h);
    });
  }
}
