/**
 * The mixed blocks of Inception-v3 (Szegedy et al. 2015, https://arxiv.org/abs/1512.00567) as data: branches side by
 * side, each a list of steps. The pools are those of the network behind FID, which differ from torchvision's: averages
 * leave the padding out, and the last block has a maximum.
 */
import { chain, Module } from "../../nn/index.ts";
import type { ParamStore } from "../../nn/index.ts";
import { avgPool2d, cat, maxPool2d, scope } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";
import { ConvNormRelu } from "./conv-norm-relu.ts";

interface Convolution {
  readonly key: string;
  readonly channels: number;
  readonly kernel: number | readonly [number, number];
  /** Halves the resolution, without padding. */
  readonly halve?: boolean;
}

type Pool = "average" | "maximum" | "halve";

/** A convolution, a pool, or convolutions side by side of one input. */
type Step = Convolution | Pool | readonly Convolution[];

/** The branches of a block. */
export type Branches = readonly (readonly Step[])[];

const conv = (key: string, channels: number, kernel: Convolution["kernel"] = 1): Convolution => ({
  key,
  channels,
  kernel,
});
const halving = (key: string, channels: number): Convolution => ({ key, channels, kernel: 3, halve: true });

/** Mixed_5b, 5c, 5d: 35 x 35. */
export const blockA = (poolChannels: number): Branches => [
  [conv("branch1x1", 64)],
  [conv("branch5x5_1", 48), conv("branch5x5_2", 64, 5)],
  [conv("branch3x3dbl_1", 64), conv("branch3x3dbl_2", 96, 3), conv("branch3x3dbl_3", 96, 3)],
  ["average", conv("branch_pool", poolChannels)],
];

/** Mixed_6a: 35 x 35 -> 17 x 17. */
export const blockB = (): Branches => [
  [halving("branch3x3", 384)],
  [conv("branch3x3dbl_1", 64), conv("branch3x3dbl_2", 96, 3), halving("branch3x3dbl_3", 96)],
  ["halve"],
];

/** Mixed_6b to 6e: 17 x 17, `inner` channels between the long kernels. */
export const blockC = (inner: number): Branches => [
  [conv("branch1x1", 192)],
  [conv("branch7x7_1", inner), conv("branch7x7_2", inner, [1, 7]), conv("branch7x7_3", 192, [7, 1])],
  [
    conv("branch7x7dbl_1", inner),
    conv("branch7x7dbl_2", inner, [7, 1]),
    conv("branch7x7dbl_3", inner, [1, 7]),
    conv("branch7x7dbl_4", inner, [7, 1]),
    conv("branch7x7dbl_5", 192, [1, 7]),
  ],
  ["average", conv("branch_pool", 192)],
];

/** Mixed_7a: 17 x 17 -> 8 x 8. */
export const blockD = (): Branches => [
  [conv("branch3x3_1", 192), halving("branch3x3_2", 320)],
  [
    conv("branch7x7x3_1", 192),
    conv("branch7x7x3_2", 192, [1, 7]),
    conv("branch7x7x3_3", 192, [7, 1]),
    halving("branch7x7x3_4", 192),
  ],
  ["halve"],
];

/** Mixed_7b and 7c: 8 x 8, alike but for their pool. */
export const blockE = (pool: "average" | "maximum"): Branches => [
  [conv("branch1x1", 320)],
  [conv("branch3x3_1", 384), [conv("branch3x3_2a", 384, [1, 3]), conv("branch3x3_2b", 384, [3, 1])]],
  [
    conv("branch3x3dbl_1", 448),
    conv("branch3x3dbl_2", 384, 3),
    [conv("branch3x3dbl_3a", 384, [1, 3]), conv("branch3x3dbl_3b", 384, [3, 1])],
  ],
  [pool, conv("branch_pool", 192)],
];

const pools: Readonly<Record<Pool, (xs: Tensor) => Tensor>> = {
  average: (xs) => avgPool2d(xs, 3, 1, 1, false, false),
  maximum: (xs) => maxPool2d(xs, 3, 1, 1),
  halve: (xs) => maxPool2d(xs, 3, 2),
};

export class InceptionBlock extends Module {
  readonly outChannels: number;
  readonly #branches: readonly ((xs: Tensor) => Tensor)[];

  /** `width` scales all channels, see FidInception. */
  constructor(
    vs: ParamStore,
    inChannels: number,
    { branches, width }: { branches: Branches; width: number },
  ) {
    super(vs);
    let outChannels = 0;
    this.#branches = branches.map((steps) => {
      let channels = inChannels;
      const layer = ({ key, channels: full, kernel: kernelSize, halve }: Convolution, from: number) => {
        const options = halve ? { kernelSize, stride: 2, padding: 0 } : { kernelSize };
        const made = new ConvNormRelu(vs.at(key), from, full * width, options);
        return (xs: Tensor) => made.forward(xs);
      };
      const layers = steps.map((step) => {
        if (typeof step === "string") return pools[step];
        const side = "key" in step ? [step] : step;
        const from = channels;
        channels = side.reduce((sum, { channels: each }) => sum + each * width, 0);
        const parts = side.map((each) => layer(each, from));
        return (xs: Tensor) => (parts.length === 1 ? parts[0]!(xs) : joined(xs, parts));
      });
      outChannels += channels;
      return (xs: Tensor) => chain(xs, layers);
    });
    this.outChannels = outChannels;
  }

  /** [B, in, H, W] -> [B, outChannels, H', W']. */
  forward(xs: Tensor): Tensor {
    return joined(xs, this.#branches);
  }
}

const joined = (xs: Tensor, parts: readonly ((xs: Tensor) => Tensor)[]): Tensor =>
  scope(() =>
    cat(
      parts.map((part) => part(xs)),
      1,
    ),
  );
