/**
 * ResNet-18 and ResNet-50 (He et al. 2015, https://arxiv.org/abs/1512.03385) with the keys of torchvision's
 * models/resnet.py; in the bottleneck block it is the 3 x 3 convolution that strides ("v1.5"), as there.
 */
import { BatchNorm2d, chain, Conv2d, Linear, Module, normal, ParamStore } from "../nn/index.ts";
import { maxPool2d, scope } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";

/** Blocks of each layer; a bottleneck ends in four times its width. */
export const RESNETS = {
  resnet18: { blocks: [2, 2, 2, 2], bottleneck: false },
  resnet50: { blocks: [3, 4, 6, 3], bottleneck: true },
} as const;

export type ResnetName = keyof typeof RESNETS;

export interface ResnetConfig {
  readonly architecture: ResnetName;
  readonly numClasses: number;
}

const WIDTHS = [64, 128, 256, 512] as const;

/** A convolution without bias, drawn as torchvision does: kaiming normal by fan-out, for a ReLU behind it. */
function conv(
  vs: ParamStore,
  inChannels: number,
  outChannels: number,
  kernelSize: number,
  stride = 1,
): Conv2d {
  const init = normal(Math.sqrt(2 / (outChannels * kernelSize * kernelSize)));
  return new Conv2d(vs, inChannels, outChannels, { kernelSize, stride, bias: false, init });
}

interface BlockSizes {
  readonly inChannels: number;
  /** Channels inside the block. */
  readonly width: number;
  readonly outChannels: number;
  readonly stride: number;
}

/** Two 3 x 3 convolutions, or 1 x 1, 3 x 3, 1 x 1, beside a shortcut. */
class Block extends Module {
  readonly #pairs: readonly (readonly [Conv2d, BatchNorm2d])[];
  readonly #downsample: readonly [Conv2d, BatchNorm2d] | undefined;

  constructor(vs: ParamStore, { inChannels, width, outChannels, stride }: BlockSizes, bottleneck: boolean) {
    super(vs);
    const kernels = bottleneck ? [1, 3, 1] : [3, 3];
    const strides = bottleneck ? [1, stride, 1] : [stride, 1];
    this.#pairs = kernels.map((kernel, i) => {
      const last = i === kernels.length - 1;
      const out = last ? outChannels : width;
      const convolution = conv(vs.at(`conv${i + 1}`), i === 0 ? inChannels : width, out, kernel, strides[i]);
      return [convolution, new BatchNorm2d(vs.at(`bn${i + 1}`), out)];
    });
    if (stride !== 1 || inChannels !== outChannels) {
      const convolution = conv(vs.at("downsample", 0), inChannels, outChannels, 1, stride);
      this.#downsample = [convolution, new BatchNorm2d(vs.at("downsample", 1), outChannels)];
    }
  }

  forward(xs: Tensor): Tensor {
    return scope(() => {
      const shortcut = this.#downsample ? normed(this.#downsample, xs) : xs;
      const inner = this.#pairs.slice(0, -1).map((pair) => (h: Tensor) => normed(pair, h).relu());
      return normed(this.#pairs.at(-1)!, chain(xs, inner)).add(shortcut).relu();
    });
  }
}

const normed = ([convolution, norm]: readonly [Conv2d, BatchNorm2d], xs: Tensor): Tensor =>
  norm.forward(convolution.forward(xs));

export class Resnet extends Module {
  readonly config: ResnetConfig;
  /** Width of the features: 512 or 2048. */
  readonly dimensions: number;
  readonly #conv1: Conv2d;
  readonly #bn1: BatchNorm2d;
  readonly #blocks: readonly Block[];
  readonly #fc: Linear;

  constructor(vs: ParamStore, config: ResnetConfig) {
    super(vs);
    const { blocks, bottleneck } = RESNETS[config.architecture];
    this.config = config;
    this.#conv1 = conv(vs.at("conv1"), 3, 64, 7, 2);
    this.#bn1 = new BatchNorm2d(vs.at("bn1"), 64);
    let inChannels = 64;
    this.#blocks = WIDTHS.flatMap((width, layer) =>
      Array.from({ length: blocks[layer]! }, (_, i) => {
        const outChannels = bottleneck ? 4 * width : width;
        const sizes = { inChannels, width, outChannels, stride: layer > 0 && i === 0 ? 2 : 1 };
        inChannels = outChannels;
        return new Block(vs.at(`layer${layer + 1}`, i), sizes, bottleneck);
      }),
    );
    this.dimensions = inChannels;
    this.#fc = new Linear(vs.at("fc"), inChannels, config.numClasses);
  }

  /** A new network with torchvision's initial distributions, drawn from `seed`. */
  static seeded(config: ResnetConfig, { seed = 0 }: { seed?: number } = {}): Resnet {
    return new Resnet(ParamStore.seeded({ seed }), config);
  }

  /** Normalised images [N, 3, H, W] -> features before the last layer, [N, 512 or 2048]. */
  features(images: Tensor): Tensor {
    return scope(() => {
      const stem = (xs: Tensor) => this.#bn1.forward(this.#conv1.forward(xs)).relu();
      const pool = (xs: Tensor) => maxPool2d(xs, 3, 2, 1);
      const h = chain(images, [
        stem,
        pool,
        ...this.#blocks.map((block) => (xs: Tensor) => block.forward(xs)),
      ]);
      return h.mean([2, 3]);
    });
  }

  /** Features -> logits [N, numClasses]. */
  classify(features: Tensor): Tensor {
    return this.#fc.forward(features);
  }

  /** Normalised images -> logits [N, numClasses]. */
  forward(images: Tensor): Tensor {
    return scope(() => this.classify(this.features(images)));
  }
}
