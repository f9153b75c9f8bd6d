/**
 * Inception-v3 as FID uses it (Heusel et al. 2017, https://arxiv.org/abs/1706.08500): the network of TensorFlow's
 * inception-2015-12-05, in the keys of pytorch-fid's and torch-fidelity's files. Its classes are not needed here.
 */
import { chain, Module, ParamStore } from "../../nn/index.ts";
import { maxPool2d, scope, ShapeError } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";
import { ConvNormRelu } from "./conv-norm-relu.ts";
import { blockA, blockB, blockC, blockD, blockE, type Branches, InceptionBlock } from "./inception-block.ts";

/** Height and width of the network's input. */
export const INCEPTION_SIZE = 299;

export interface FidInceptionConfig {
  /** Share of the published channels, such as 1/16 for a small network with random weights; the default is 1. */
  readonly width?: number;
}

const BLOCKS: readonly (readonly [key: string, branches: Branches])[] = [
  ["Mixed_5b", blockA(32)],
  ["Mixed_5c", blockA(64)],
  ["Mixed_5d", blockA(64)],
  ["Mixed_6a", blockB()],
  ["Mixed_6b", blockC(128)],
  ["Mixed_6c", blockC(160)],
  ["Mixed_6d", blockC(160)],
  ["Mixed_6e", blockC(192)],
  ["Mixed_7a", blockD()],
  ["Mixed_7b", blockE("average")],
  ["Mixed_7c", blockE("maximum")],
];

export class FidInception extends Module {
  /** Length of the features: 2048 at full width. */
  readonly dimensions: number;
  readonly #layers: readonly ((xs: Tensor) => Tensor)[];

  constructor(vs: ParamStore, { width = 1 }: FidInceptionConfig = {}) {
    super(vs);
    const layers: ((xs: Tensor) => Tensor)[] = [];
    let channels = 3;
    const conv = (
      key: string,
      full: number,
      options: { kernelSize?: number; stride?: number; padding?: number },
    ) => {
      const made = new ConvNormRelu(vs.at(key), channels, full * width, options);
      channels = full * width;
      layers.push((xs) => made.forward(xs));
    };
    const pool = () => layers.push((xs) => maxPool2d(xs, 3, 2));
    conv("Conv2d_1a_3x3", 32, { stride: 2, padding: 0 });
    conv("Conv2d_2a_3x3", 32, { padding: 0 });
    conv("Conv2d_2b_3x3", 64, {});
    pool();
    conv("Conv2d_3b_1x1", 80, { kernelSize: 1 });
    conv("Conv2d_4a_3x3", 192, { padding: 0 });
    pool();
    for (const [key, branches] of BLOCKS) {
      const block = new InceptionBlock(vs.at(key), channels, { branches, width });
      channels = block.outChannels;
      layers.push((xs) => block.forward(xs));
    }
    vs.skip("fc.weight");
    vs.skip("fc.bias");
    this.dimensions = channels;
    this.#layers = layers;
  }

  /** A new network with values drawn from `seed`. */
  static seeded(config: FidInceptionConfig, seed: number): FidInception {
    return new FidInception(ParamStore.seeded({ seed }), config);
  }

  /**
   * Pictures [N, 3, 299, 299] in [-1, 1] -> the means of the last maps ("pool3"), [N, dimensions].
   * @throws ShapeError for pictures of another size.
   */
  forward(images: Tensor): Tensor {
    if (images.shape.slice(1).join() !== [3, INCEPTION_SIZE, INCEPTION_SIZE].join())
      throw new ShapeError(
        `the Inception network was given [${images.shape.join(", ")}]; expected [N, 3, ${INCEPTION_SIZE}, ${INCEPTION_SIZE}]`,
      );
    return scope(() => chain(images, this.#layers).mean([2, 3]));
  }
}
