/**
 * CLIP: texts and images in one space, where the cosine of two embeddings says how well they fit.
 * Radford et al. 2021, https://arxiv.org/abs/2103.00020; keys and configuration of transformers' CLIPModel.
 */
import { buildFromTensors, constant, Linear, Module, normal, ParamStore } from "../../nn/index.ts";
import type { Parameter } from "../../nn/index.ts";
import { scope } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";
import { clipConfig } from "./config.ts";
import type { ClipConfig } from "./config.ts";
import { ClipTextModel } from "./text.ts";
import { ClipVisionModel } from "./vision.ts";

export class ClipModel extends Module {
  readonly config: ClipConfig;
  readonly #textModel: ClipTextModel;
  readonly #visionModel: ClipVisionModel;
  readonly #visualProjection: Linear;
  readonly #textProjection: Linear;
  readonly #logitScale: Parameter;

  constructor(vs: ParamStore, given: Readonly<Record<string, unknown>> | Partial<ClipConfig> = {}) {
    super(vs);
    const config = clipConfig(given);
    const { text_config: text, vision_config: vision, projection_dim: dim } = config;
    this.config = config;
    this.#textModel = new ClipTextModel(vs.at("text_model"), text, { prefix: "" });
    this.#visionModel = new ClipVisionModel(vs.at("vision_model"), vision);
    const projection = (name: string, width: number) =>
      new Linear(vs.at(name), width, dim, { bias: false, init: normal(width ** -0.5) });
    this.#visualProjection = projection("visual_projection", vision.hidden_size);
    this.#textProjection = projection("text_projection", text.hidden_size);
    this.#logitScale = vs.parameter("logit_scale", [], constant(config.logit_scale_init_value));
  }

  /** A new model with values drawn from `seed`. */
  static seeded(config: Partial<ClipConfig>, seed: number): ClipModel {
    return new ClipModel(ParamStore.seeded({ seed }), config);
  }

  /** An independent model with the same values. */
  clone(): ClipModel {
    return buildFromTensors(this.stateDict(), (vs) => new ClipModel(vs, this.config), { copy: true });
  }

  /** Normalised pixels [B, 3, image_size, image_size] -> embeddings of length 1, [B, projection_dim]. */
  imageEmbeds(pixelValues: Tensor): Tensor {
    return scope(() => unit(this.#visualProjection.forward(this.#visionModel.forward(pixelValues))));
  }

  /**
   * Token ids, int64 [B, L] -> embeddings of length 1, [B, projection_dim]. Texts may be padded to any common length:
   * what follows the end token has no influence.
   */
  textEmbeds(inputIds: Tensor): Tensor {
    return scope(() => unit(this.#textProjection.forward(this.#textModel.pooled(inputIds))));
  }

  /** How well each image fits each text, [images, texts]: cosines times the learned scale, CLIP's `logits_per_image`. */
  logitsPerImage(pixelValues: Tensor, inputIds: Tensor): Tensor {
    return scope(() => {
      const cosines = this.imageEmbeds(pixelValues).matmul(this.textEmbeds(inputIds).t());
      return cosines.mul(this.#logitScale.value.exp());
    });
  }
}

const unit = (xs: Tensor): Tensor => xs.div(xs.square().sum([-1], true).sqrt());
