/**
 * VGG-16 (Simonyan and Zisserman 2014, https://arxiv.org/abs/1409.1556), configuration D, in the keys of torchvision's
 * vgg16: up to its second fully connected layer ("fc2"), the features of improved precision and recall.
 */
import { chain, Linear, Module, ParamStore } from "../../nn/index.ts";
import { adaptiveAvgPool2d, scope, ShapeError } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";
import { VGG16_CHANNELS, VggStages } from "./vgg-stages.ts";

/** Height and width of the network's input. */
export const VGG16_SIZE = 224;
const POOLED = 7;

export interface Vgg16Config {
  /** Channels of the five stages. */
  readonly channels?: readonly number[];
  /** Width of the fully connected layers. */
  readonly hidden?: number;
}

export class Vgg16 extends Module {
  /** Length of the features: 4096 as published. */
  readonly dimensions: number;
  readonly #features: VggStages;
  readonly #fc1: Linear;
  readonly #fc2: Linear;

  constructor(vs: ParamStore, { channels = VGG16_CHANNELS, hidden = 4096 }: Vgg16Config = {}) {
    super(vs);
    this.dimensions = hidden;
    this.#features = new VggStages(vs.at("features"), { channels });
    const classifier = vs.at("classifier"); // 1, 4 are ReLUs, 2, 5 dropout
    this.#fc1 = new Linear(classifier.at(0), channels.at(-1)! * POOLED * POOLED, hidden);
    this.#fc2 = new Linear(classifier.at(3), hidden, hidden);
    classifier.skip("6.weight");
    classifier.skip("6.bias");
  }

  /** A new network with values drawn from `seed`. */
  static seeded(config: Vgg16Config, seed: number): Vgg16 {
    return new Vgg16(ParamStore.seeded({ seed }), config);
  }

  /**
   * Normalised pictures [N, 3, 224, 224] -> fc2 before its ReLU, [N, dimensions].
   * @throws ShapeError for pictures of another size.
   */
  forward(images: Tensor): Tensor {
    if (images.shape.slice(1).join() !== [3, VGG16_SIZE, VGG16_SIZE].join())
      throw new ShapeError(
        `VGG-16 was given [${images.shape.join(", ")}]; expected [N, 3, ${VGG16_SIZE}, ${VGG16_SIZE}]`,
      );
    return scope(() =>
      chain(images, [
        (xs) => this.#features.forward(xs),
        (xs) => adaptiveAvgPool2d(xs, [POOLED, POOLED]).flatten(1),
        (xs) => this.#fc1.forward(xs).relu(),
        (xs) => this.#fc2.forward(xs),
      ]),
    );
  }
}
