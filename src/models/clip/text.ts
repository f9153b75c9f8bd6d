/**
 * The text encoder of Stable Diffusion: a causal transformer over 77 tokens.
 * Radford et al. 2021, https://arxiv.org/abs/2103.00020; keys and configuration of transformers' CLIPTextModel, and of
 * CLIPTextModelWithProjection where there is a `text_projection`.
 */
import {
  buildFromTensors,
  Embedding,
  LayerNorm,
  Linear,
  Module,
  normal,
  ParamStore,
} from "../../nn/index.ts";
import { ConfigError, scope } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";
import { clipTextConfig } from "./config.ts";
import type { ClipTextConfig } from "./config.ts";
import { ClipEncoder } from "./encoder.ts";

export interface ClipTextOptions {
  /** Path of the tower's keys below the model; by default what the weights have, "text_model" for a new model. */
  readonly prefix?: string;
  /** Whether there is a `text_projection`; by default when the weights have it. */
  readonly withProjection?: boolean;
}

export interface ClipTextForwardOptions {
  /** Layers left out at the end, diffusers' `clip_skip`: 1 is the "penultimate layer" of other tools. */
  readonly clipSkip?: number;
}

/** transformers' mark for files whose `eos_token_id` was written wrongly (its pull request 24773). */
const LEGACY_EOS = 2;

export class ClipTextModel extends Module {
  readonly config: ClipTextConfig;
  readonly #options: Required<ClipTextOptions>;
  readonly #tokenEmbedding: Embedding;
  readonly #positionEmbedding: Embedding;
  readonly #encoder: ClipEncoder;
  readonly #finalLayerNorm: LayerNorm;
  readonly #textProjection: Linear | undefined;

  /**
   * Published files carry the prefix "text_model."; transformers 5 writes none. A model keeps the form that it was loaded
   * from, a new one takes the published form.
   */
  constructor(root: ParamStore, given: Partial<ClipTextConfig> = {}, options: ClipTextOptions = {}) {
    super(root);
    const config = clipTextConfig(given);
    const { hidden_size: dim, layer_norm_eps: eps, max_position_embeddings: positions } = config;
    this.config = config;
    const bare = root.has("embeddings.token_embedding.weight");
    const { prefix = bare ? "" : "text_model" } = options;
    const { withProjection = root.has("text_projection.weight") } = options;
    this.#options = { prefix, withProjection };
    const vs = root.at(prefix);
    const embeddings = vs.at("embeddings");
    embeddings.skip("position_ids");
    const std = 0.02;
    this.#tokenEmbedding = new Embedding(embeddings.at("token_embedding"), config.vocab_size, dim, { std });
    this.#positionEmbedding = new Embedding(embeddings.at("position_embedding"), positions, dim, { std });
    this.#encoder = new ClipEncoder(vs.at("encoder"), config, { isCausal: true });
    this.#finalLayerNorm = new LayerNorm(vs.at("final_layer_norm"), dim, { eps });
    if (withProjection) {
      this.#textProjection = new Linear(root.at("text_projection"), dim, config.projection_dim, {
        bias: false,
        init: normal(dim ** -0.5),
      });
    }
  }

  /** A new model with values drawn from `seed`. */
  static seeded(config: Partial<ClipTextConfig>, seed: number, options: ClipTextOptions = {}): ClipTextModel {
    return new ClipTextModel(ParamStore.seeded({ seed }), config, options);
  }

  /** An independent model with the same values. */
  clone(): ClipTextModel {
    const build = (vs: ParamStore) => new ClipTextModel(vs, this.config, this.#options);
    return buildFromTensors(this.stateDict(), build, { copy: true });
  }

  /** True when the model is a CLIPTextModelWithProjection. */
  get hasProjection(): boolean {
    return this.#options.withProjection;
  }

  /**
   * Token ids, int64 [B, L] -> hidden states after the final norm, [B, L, hidden_size].
   * @throws ConfigError for a text that is too long, or more skipped layers than there are.
   */
  forward(inputIds: Tensor, { clipSkip: skip = 0 }: ClipTextForwardOptions = {}): Tensor {
    this.#check(inputIds, skip);
    return scope(() => {
      const positions = this.#positionEmbedding.weight.value.slice(0, 0, inputIds.shape.at(-1));
      const embedded = this.#tokenEmbedding.forward(inputIds).add(positions);
      return this.#finalLayerNorm.forward(this.#encoder.forward(embedded, { skip }));
    });
  }

  /**
   * The state of each text's end token, [B, hidden_size]: transformers' `pooler_output`. Padding after the end token has
   * no influence on it, because no token looks ahead: so no mask is needed.
   */
  pooled(inputIds: Tensor): Tensor {
    return scope(() => {
      const states = this.forward(inputIds);
      const [batch, , dim] = states.shape as [number, number, number];
      const { eos_token_id: eos } = this.config;
      // The first of equal ones: the end token itself where the padding is the same token.
      const ends = (eos === LEGACY_EOS ? inputIds : inputIds.eq(eos).to("int64")).argmax(1);
      return states.gather(1, ends.view([batch, 1, 1]).expand([batch, 1, dim])).squeeze(1);
    });
  }

  /** The end token's state in the common space of texts and images, [B, projection_dim]: transformers' `text_embeds`. */
  textEmbeds(inputIds: Tensor): Tensor {
    if (this.#textProjection === undefined) {
      throw new ConfigError(
        "this text encoder has no text_projection; use pooled(), or a CLIPTextModelWithProjection",
      );
    }
    const projection = this.#textProjection;
    return scope(() => projection.forward(this.pooled(inputIds)));
  }

  #check(inputIds: Tensor, skip: number): void {
    const length = inputIds.shape.at(-1) ?? 0;
    const { max_position_embeddings: longest, num_hidden_layers: layers } = this.config;
    if (length > longest) {
      throw new ConfigError(
        `text of ${length} tokens is longer than max_position_embeddings ${longest}; truncate it`,
      );
    }
    if (!Number.isInteger(skip) || skip < 0 || skip > layers) {
      throw new ConfigError(`clipSkip: ${skip} is not usable; expected a whole number from 0 to ${layers}`);
    }
  }
}
