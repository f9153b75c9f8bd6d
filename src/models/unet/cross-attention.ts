/**
 * Attention between image tokens, or from image tokens to text states: keys `to_q`, `to_k`, `to_v` (no bias), `to_out.0`.
 * Mirrors diffusers models/attention_processor.py Attention with AttnProcessor2_0.
 */
import { Linear, Module, multiHeadAttention } from "../../nn/index.ts";
import type { ParamStore } from "../../nn/index.ts";
import { scope } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";

export class CrossAttention extends Module {
  readonly #toQ: Linear;
  readonly #toK: Linear;
  readonly #toV: Linear;
  readonly #toOut: Linear;
  readonly #heads: number;

  /** @param contextDim width of the text states; the same as `dim` for self-attention. */
  constructor(
    vs: ParamStore,
    dim: number,
    { heads, contextDim = dim }: { heads: number; contextDim?: number },
  ) {
    super(vs);
    this.#toQ = new Linear(vs.at("to_q"), dim, dim, { bias: false });
    this.#toK = new Linear(vs.at("to_k"), contextDim, dim, { bias: false });
    this.#toV = new Linear(vs.at("to_v"), contextDim, dim, { bias: false });
    this.#toOut = new Linear(vs.at("to_out", 0), dim, dim);
    this.#heads = heads;
  }

  /** [B, N, dim] -> [B, N, dim], attending to `context` [B, M, contextDim], or to `xs` itself. */
  forward(xs: Tensor, context: Tensor = xs): Tensor {
    return scope(() => {
      const [q, k, v] = [this.#toQ.forward(xs), this.#toK.forward(context), this.#toV.forward(context)];
      return this.#toOut.forward(multiHeadAttention(q, k, v, { heads: this.#heads }));
    });
  }
}
