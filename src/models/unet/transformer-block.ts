/**
 * Self-attention, cross-attention and a gated feed-forward network (GEGLU, https://arxiv.org/abs/2002.05202), each with
 * its own layer norm and residual. Mirrors diffusers models/attention.py BasicTransformerBlock (norm_type "layer_norm").
 */
import { LayerNorm, Linear, Module } from "../../nn/index.ts";
import type { ParamStore } from "../../nn/index.ts";
import { scope } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";
import { CrossAttention } from "./cross-attention.ts";

export interface TransformerBlockConfig {
  readonly dim: number;
  readonly heads: number;
  readonly contextDim: number;
  readonly onlyCrossAttention: boolean;
}

export class BasicTransformerBlock extends Module {
  readonly #norm1: LayerNorm;
  readonly #attn1: CrossAttention;
  readonly #norm2: LayerNorm;
  readonly #attn2: CrossAttention;
  readonly #norm3: LayerNorm;
  readonly #ffIn: Linear;
  readonly #ffOut: Linear;
  readonly #onlyCrossAttention: boolean;

  constructor(vs: ParamStore, config: TransformerBlockConfig) {
    super(vs);
    const { dim, heads, contextDim, onlyCrossAttention } = config;
    this.#onlyCrossAttention = onlyCrossAttention;
    this.#norm1 = new LayerNorm(vs.at("norm1"), dim);
    this.#attn1 = new CrossAttention(vs.at("attn1"), dim, {
      heads,
      contextDim: onlyCrossAttention ? contextDim : dim,
    });
    this.#norm2 = new LayerNorm(vs.at("norm2"), dim);
    this.#attn2 = new CrossAttention(vs.at("attn2"), dim, { heads, contextDim });
    this.#norm3 = new LayerNorm(vs.at("norm3"), dim);
    this.#ffIn = new Linear(vs.at("ff", "net", 0, "proj"), dim, 8 * dim);
    this.#ffOut = new Linear(vs.at("ff", "net", 2), 4 * dim, dim);
  }

  /** [B, N, dim] with text states [B, M, contextDim] -> [B, N, dim]. */
  forward(xs: Tensor, context: Tensor): Tensor {
    return scope(() => {
      const itself = this.#onlyCrossAttention ? context : undefined;
      let h = this.#attn1.forward(this.#norm1.forward(xs), itself).add(xs);
      h = this.#attn2.forward(this.#norm2.forward(h), context).add(h);
      const [value, gate] = this.#ffIn.forward(this.#norm3.forward(h)).chunk(2, -1) as [Tensor, Tensor];
      return this.#ffOut.forward(value.mul(gate.gelu())).add(h);
    });
  }
}
