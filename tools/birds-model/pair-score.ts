/**
 * Image-text pairs scored by a scaled cosine; trained with the sigmoid loss of SigLIP (Zhai et al. 2023,
 * https://arxiv.org/abs/2303.15343, eq. 1), where several texts of a batch may fit one image.
 */
import type { ClipTextModel } from "../../src/models/index.ts";
import type { ParamStore } from "../../src/nn/index.ts";
import { constant, Linear, Module, type Parameter } from "../../src/nn/index.ts";
import { scope, tensor, type Tensor } from "../../src/torch/index.ts";
import { ImageTower } from "./image-tower.ts";

const WIDTH = 64;

export interface TokenRows {
  readonly inputIds: BigInt64Array;
  readonly shape: readonly [number, number];
}

/** Text encoder with the image tower and the projections that only its training needs. */
export class PairScore extends Module {
  readonly #text: ClipTextModel;
  readonly image: ImageTower;
  readonly #projection: Linear;
  readonly #logScale: Parameter;
  readonly #bias: Parameter;

  constructor(vs: ParamStore, text: ClipTextModel) {
    super(vs);
    this.#text = text;
    this.image = new ImageTower(vs.at("image"), WIDTH);
    this.#projection = new Linear(vs.at("text_projection"), text.config.hidden_size, WIDTH, { bias: false });
    this.#logScale = vs.parameter("log_scale", [], constant(Math.log(10)));
    this.#bias = vs.parameter("bias", [], constant(0));
  }

  /** Images [B, 3, H, W] and token rows of B texts -> scores of all pairs, [B images, B texts]. */
  forward(images: Tensor, tokens: TokenRows): Tensor {
    return scope(() => {
      const left = normalized(this.image.forward(images));
      const right = normalized(this.#projection.forward(this.#pooled(tokens)));
      return left.matmul(right.t()).mul(this.#logScale.value.exp()).add(this.#bias.value);
    });
  }

  /** The states at each text's end token, CLIP's summary of a text: [B, hidden_size]. */
  #pooled({ inputIds, shape }: TokenRows): Tensor {
    const [rows, length] = shape;
    const end = BigInt(this.#text.config.eos_token_id);
    const positions = Int32Array.from({ length: rows }, (_, row) => inputIds.indexOf(end, row * length));
    const states = this.#text.forward(tensor(inputIds, { shape }));
    return states.flatten(0, 1).indexSelect(0, tensor(positions));
  }
}

/** -log sigmoid of the score for pairs that fit and of its negative for the others, mean over pairs. */
export const pairLoss = (scores: Tensor, fits: Tensor): Tensor =>
  scope(() => scores.mul(fits.mul(-2).add(1)).softplus().mean());

/**
 * Rows of unit length around the batch's mean. A small untrained tower maps all images to nearly one point; without
 * centring all pairs get one score, and training stays there.
 */
function normalized(xs: Tensor): Tensor {
  const centred = xs.sub(xs.mean([0], true));
  return centred.div(centred.square().sum([-1], true).add(1e-6).sqrt());
}
