/**
 * The text encoder of Stable Diffusion: a causal transformer over 77 tokens.
 * Radford et al. 2021, https://arxiv.org/abs/2103.00020; keys and configuration of transformers' CLIPTextModel.
 */
import {
  activation,
  buildFromTensors,
  Embedding,
  LayerNorm,
  Linear,
  Module,
  multiHeadAttention,
} from "../../nn/index.ts";
import { normal, ParamStore } from "../../nn/index.ts";
import type { Activation } from "../../nn/index.ts";
import { ConfigError, scope } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";
import { clipTextConfig } from "./config.ts";
import type { ClipTextConfig } from "./config.ts";

class EncoderLayer extends Module {
  readonly #kProj: Linear;
  readonly #vProj: Linear;
  readonly #qProj: Linear;
  readonly #outProj: Linear;
  readonly #layerNorm1: LayerNorm;
  readonly #fc1: Linear;
  readonly #fc2: Linear;
  readonly #layerNorm2: LayerNorm;
  readonly #heads: number;
  readonly #act: Activation;

  constructor(vs: ParamStore, config: ClipTextConfig) {
    super(vs);
    const {
      hidden_size: dim,
      intermediate_size: inner,
      layer_norm_eps: eps,
      num_hidden_layers: layers,
    } = config;
    // Distributions for new models: transformers' CLIPPreTrainedModel._init_weights.
    const depth = (2 * layers) ** -0.5;
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
    this.#heads = config.num_attention_heads;
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
      const attended = multiHeadAttention(q, k, v, { heads: this.#heads, isCausal: true });
      const h = xs.add(this.#outProj.forward(attended));
      return h.add(this.#fc2.forward(this.#act(this.#fc1.forward(this.#layerNorm2.forward(h)))));
    });
  }
}

export class ClipTextModel extends Module {
  readonly config: ClipTextConfig;
  readonly #tokenEmbedding: Embedding;
  readonly #positionEmbedding: Embedding;
  readonly #layers: EncoderLayer[];
  readonly #finalLayerNorm: LayerNorm;

  /**
   * Published files carry the prefix "text_model."; transformers 5 writes none. A model keeps the form that it was loaded
   * from, a new one takes the published form.
   */
  constructor(root: ParamStore, given: Partial<ClipTextConfig> = {}) {
    super(root);
    const config = clipTextConfig(given);
    const { hidden_size: dim, layer_norm_eps: eps } = config;
    this.config = config;
    const vs = root.has("embeddings.token_embedding.weight") ? root : root.at("text_model");
    const embeddings = vs.at("embeddings");
    embeddings.skip("position_ids");
    this.#tokenEmbedding = new Embedding(embeddings.at("token_embedding"), config.vocab_size, dim, {
      std: 0.02,
    });
    const positions = config.max_position_embeddings;
    this.#positionEmbedding = new Embedding(embeddings.at("position_embedding"), positions, dim, {
      std: 0.02,
    });
    this.#layers = Array.from(
      { length: config.num_hidden_layers },
      (_, i) => new EncoderLayer(vs.at("encoder", "layers", i), config),
    );
    this.#finalLayerNorm = new LayerNorm(vs.at("final_layer_norm"), dim, { eps });
  }

  /** A new model with values drawn from `seed`. */
  static seeded(config: Partial<ClipTextConfig>, seed: number): ClipTextModel {
    return new ClipTextModel(ParamStore.seeded({ seed }), config);
  }

  /** An independent model with the same values. */
  clone(): ClipTextModel {
    return buildFromTensors(this.stateDict(), (vs) => new ClipTextModel(vs, this.config), { copy: true });
  }

  /** Token ids, int64 [B, L] -> last hidden states after the final norm, [B, L, hidden_size]. */
  forward(inputIds: Tensor): Tensor {
    const length = inputIds.shape.at(-1) ?? 0;
    const longest = this.config.max_position_embeddings;
    if (length > longest) {
      throw new ConfigError(
        `text of ${length} tokens is longer than max_position_embeddings ${longest}; truncate it`,
      );
    }
    return scope(() => {
      const positions = this.#positionEmbedding.weight.value.slice(0, 0, length);
      let h = this.#tokenEmbedding.forward(inputIds).add(positions);
      for (const layer of this.#layers) h = layer.forward(h);
      return this.#finalLayerNorm.forward(h);
    });
  }
}
