/**
 * The transformer of both CLIP towers: causal over tokens, full over image patches.
 * Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; keys of transformers' CLIPEncoder.
 */
import { activation, LayerNorm, Linear, Module, multiHeadAttention, normal } from "../../nn/index.ts";
import type { Activation, ParamStore } from "../../nn/index.ts";
import { scope } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";
import type { ClipTowerConfig } from "./config.ts";

interface Attention {
  /** True: a token sees only itself and those before it. */
  readonly isCausal: boolean;
}

class EncoderLayer extends Module {
  readonly #kProj: Linear;
  readonly #vProj: Linear;
  readonly #qProj: Linear;
  readonly #outProj: Linear;
  readonly #layerNorm1: LayerNorm;
  readonly #fc1: Linear;
  readonly #fc2: Linear;
  readonly #layerNorm2: LayerNorm;
  readonly #attention: Attention & { readonly heads: number };
  readonly #act: Activation;

  constructor(vs: ParamStore, config: ClipTowerConfig, { isCausal }: Attention) {
    super(vs);
    const { hidden_size: dim, intermediate_size: inner, layer_norm_eps: eps } = config;
    // Distributions for new models: transformers' CLIPPreTrainedModel._init_weights.
    const depth = (2 * config.num_hidden_layers) ** -0.5;
    const into = { init: normal(dim ** -0.5 * depth) };
    const attn = vs.at("self_attn");
    this.#kProj = new Linear(attn.at("k_proj"), dim, dim, into);
    this.#vProj = new Linear(attn.at("v_proj"), dim, dim, into);
    this.#qProj = new Linear(attn.at("q_proj"), dim, dim, into);
    this.#outProj = new Linear(attn.at("out_proj"), dim, dim, { init: normal(dim ** -0.5) });
    this.#layerNorm1 = new LayerNorm(vs.at("layer_norm1"), dim, { eps });
    this.#fc1 = new Linear(vs.at("mlp", "fc1"), dim, inner, { init: normal((2 * dim) ** -0.5) });
    this.#fc2 = new Linear(vs.at("mlp", "fc2"), inner, dim, into);
    this.#layerNorm2 = new LayerNorm(vs.at("layer_norm2"), dim, { eps });
    this.#attention = { heads: config.num_attention_heads, isCausal };
    this.#act = activation(config.hidden_act, "hidden_act");
  }

  /** [B, L, D] -> [B, L, D]. */
  forward(xs: Tensor): Tensor {
    return scope(() => {
      const normed = this.#layerNorm1.forward(xs);
      const [q, k, v] = [
        this.#qProj.forward(normed),
        this.#kProj.forward(normed),
        this.#vProj.forward(normed),
      ];
      const h = xs.add(this.#outProj.forward(multiHeadAttention(q, k, v, this.#attention)));
      return h.add(this.#fc2.forward(this.#act(this.#fc1.forward(this.#layerNorm2.forward(h)))));
    });
  }
}

export class ClipEncoder extends Module {
  readonly #layers: EncoderLayer[];

  constructor(vs: ParamStore, config: ClipTowerConfig, attention: Attention) {
    super(vs);
    this.#layers = Array.from(
      { length: config.num_hidden_layers },
      (_, i) => new EncoderLayer(vs.at("layers", i), config, attention),
    );
  }

  /** [B, L, D] -> the output of the last layer, or of the one `skip` layers before it; with all skipped, `xs`. */
  forward(xs: Tensor, { skip = 0 }: { skip?: number } = {}): Tensor {
    let h = xs;
    for (const layer of this.#layers.slice(0, this.#layers.length - skip)) h = layer.forward(h);
    return h;
  }
}
