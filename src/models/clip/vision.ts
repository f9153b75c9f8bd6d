/**
 * The image tower of CLIP: a vision transformer over square patches with one class token.
 * Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929; keys and configuration of transformers' CLIPVisionModel.
 */
import { Conv2d, Embedding, LayerNorm, Module, normal } from "../../nn/index.ts";
import type { Parameter, ParamStore } from "../../nn/index.ts";
import { cat, scope, ShapeError } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";
import { clipVisionConfig } from "./config.ts";
import type { ClipVisionConfig } from "./config.ts";
import { ClipEncoder } from "./encoder.ts";

export class ClipVisionModel extends Module {
  readonly config: ClipVisionConfig;
  readonly #classEmbedding: Parameter;
  readonly #patchEmbedding: Conv2d;
  readonly #positionEmbedding: Embedding;
  readonly #preLayerNorm: LayerNorm;
  readonly #encoder: ClipEncoder;
  readonly #postLayerNorm: LayerNorm;

  constructor(vs: ParamStore, given: Partial<ClipVisionConfig> = {}) {
    super(vs);
    const config = clipVisionConfig(given);
    const { hidden_size: dim, layer_norm_eps: eps, patch_size: patch } = config;
    this.config = config;
    const embeddings = vs.at("embeddings");
    embeddings.skip("position_ids");
    const std = 0.02;
    this.#classEmbedding = embeddings.parameter("class_embedding", [dim], normal(dim ** -0.5));
    this.#patchEmbedding = new Conv2d(embeddings.at("patch_embedding"), config.num_channels, dim, {
      kernelSize: patch,
      stride: patch,
      padding: 0,
      bias: false,
      init: normal(std),
    });
    const positions = Math.floor(config.image_size / patch) ** 2 + 1;
    this.#positionEmbedding = new Embedding(embeddings.at("position_embedding"), positions, dim, { std });
    this.#preLayerNorm = new LayerNorm(vs.at("pre_layrnorm"), dim, { eps }); // the published keys' spelling
    this.#encoder = new ClipEncoder(vs.at("encoder"), config, { isCausal: false });
    this.#postLayerNorm = new LayerNorm(vs.at("post_layernorm"), dim, { eps });
  }

  /**
   * Normalised pixels [B, num_channels, image_size, image_size] -> the class token's state, [B, hidden_size]:
   * transformers' `pooler_output`.
   * @throws ShapeError for images of another size.
   */
  forward(pixelValues: Tensor): Tensor {
    const { image_size: size, num_channels: channels } = this.config;
    const [batch, ...image] = pixelValues.shape as [number, ...number[]];
    if (image.join() !== [channels, size, size].join()) {
      throw new ShapeError(
        `pixel values of shape [${pixelValues.shape.join(", ")}] do not fit; expected [N, ${channels}, ${size}, ${size}]`,
      );
    }
    return scope(() => {
      const patches = this.#patchEmbedding.forward(pixelValues).flatten(2).transpose(1, 2);
      const classes = this.#classEmbedding.value.expand([batch, 1, this.config.hidden_size]);
      const embedded = cat([classes, patches], 1).add(this.#positionEmbedding.weight.value);
      const states = this.#encoder.forward(this.#preLayerNorm.forward(embedded));
      return this.#postLayerNorm.forward(states.select(1, 0));
    });
  }
}
