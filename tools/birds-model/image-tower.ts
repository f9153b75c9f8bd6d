/**
 * A small convolutional network that learns from the captions what shows a subject. The text encoder is trained against
 * it; its feature maps then tell the autoencoder what matters to the eye.
 */
import { Conv2d, GroupNorm, Linear, Module, type ParamStore } from "../../src/nn/index.ts";
import { scope, type Tensor } from "../../src/torch/index.ts";

const CHANNELS = [24, 48, 96, 96];
const GROUPS = 8;

export class ImageTower extends Module {
  readonly #convs: Conv2d[];
  readonly #norms: GroupNorm[];
  readonly #head: Linear;

  constructor(vs: ParamStore, width: number) {
    super(vs);
    this.#convs = CHANNELS.map(
      (channels, i) => new Conv2d(vs.at("convs", i), CHANNELS[i - 1] ?? 3, channels, { stride: 2 }),
    );
    this.#norms = CHANNELS.map((channels, i) => new GroupNorm(vs.at("norms", i), GROUPS, channels));
    this.#head = new Linear(vs.at("head"), CHANNELS.at(-1)!, width);
  }

  /** Images [B, 3, H, W] -> feature maps at half, quarter, ... the resolution. */
  maps(images: Tensor): Tensor[] {
    return scope(() => {
      let h = images;
      return this.#convs.map((conv, i) => (h = this.#norms[i]!.forward(conv.forward(h)).relu()));
    });
  }

  /** Images -> embeddings [B, width]. */
  forward(images: Tensor): Tensor {
    return scope(() => this.#head.forward(this.maps(images).at(-1)!.mean([2, 3])));
  }
}
