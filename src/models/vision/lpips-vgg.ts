/**
 * LPIPS with VGG-16 (Zhang et al. 2018, https://arxiv.org/abs/1801.03924): how different two pictures look. Keys as in
 * lpips and torchmetrics: `net.slice1.0.weight` to `net.slice5.28.bias`, `lin0.model.1.weight` to `lin4.model.1.weight`.
 */
import { constant, Module, ParamStore } from "../../nn/index.ts";
import type { Parameter } from "../../nn/index.ts";
import { scope, ShapeError, tensor } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";
import { VGG16_CHANNELS, VggStages } from "./vgg-stages.ts";

/** ImageNet's mean and deviation for pictures in [-1, 1], as published. */
const SHIFT = [-0.03, -0.088, -0.188];
const SCALE = [0.458, 0.448, 0.45];
/** In the root, as in torchmetrics; lpips adds 1e-10 to the root, which differs only where nothing fires. */
const EPS = 1e-8;
/** Places of a map that are widened to float64 at a time. */
const POSITIONS_AT_ONCE = 1 << 14;

export interface LpipsConfig {
  /** Channels of the five stages. */
  readonly channels?: readonly number[];
}

export class LpipsVgg extends Module {
  readonly #net: VggStages;
  readonly #weights: readonly Parameter[];

  constructor(vs: ParamStore, { channels = VGG16_CHANNELS }: LpipsConfig = {}) {
    super(vs);
    this.#net = new VggStages(vs.at("net"), { channels, stageName: (stage) => `slice${stage + 1}` });
    this.#weights = channels.map((width, stage) =>
      vs.at(`lin${stage}`, "model", 1).parameter("weight", [1, width, 1, 1], constant(1 / width)),
    );
    for (const stage of channels.keys()) vs.skip(`lins.${stage}.model.1.weight`); // the same once more
    for (const name of ["shift", "scale", "version"]) vs.skip(`scaling_layer.${name}`);
  }

  /** A new network with values drawn from `seed`. */
  static seeded(config: LpipsConfig, seed: number): LpipsVgg {
    return new LpipsVgg(ParamStore.seeded({ seed }), config);
  }

  /** Two batches of pictures [N, 3, H, W] in [-1, 1] -> the distance of each to its partner, [N]. */
  forward(a: Tensor, b: Tensor): Tensor {
    if (a.shape.join() !== b.shape.join())
      throw new ShapeError(`pictures [${a.shape.join(", ")}] and [${b.shape.join(", ")}] are no pairs`);
    return scope(() => this.paired(this.features(a), this.features(b)));
  }

  /** Pictures [N, 3, H, W] in [-1, 1] -> each stage's maps with unit length across channels, [N, C, H * W]. */
  features(images: Tensor): Tensor[] {
    return scope(() => {
      const scaled = lpipsScaled(images);
      return Array.from(this.#net.stages(scaled), (maps) => unit(maps.flatten(2)));
    });
  }

  /** Features of two batches -> the distance of each picture to its partner, [N]. */
  paired(a: readonly Tensor[], b: readonly Tensor[]): Tensor {
    return scope(() =>
      this.#weights
        .map(({ value }, stage) => {
          const weights = value.view([1, -1]);
          return weights.matmul(a[stage]!.sub(b[stage]!).square()).mean([1, 2]);
        })
        .reduce((sum, each) => sum.add(each)),
    );
  }

  /**
   * Features of N and of M pictures -> all distances, [N, M], by |x|^2 + |y|^2 - 2 xy. These sums of millions are made in
   * float64: in float32, equal pictures of 512 x 512 would be 6e-4 apart.
   */
  crossed(a: readonly Tensor[], b: readonly Tensor[]): Tensor {
    return scope(() =>
      this.#weights
        .flatMap(({ value }, stage) => {
          const [x, y] = [a[stage]!, b[stage]!];
          const weights = value.to("float64").view([1, -1, 1]);
          const positions = x.shape[2]!;
          return Array.from({ length: Math.ceil(positions / POSITIONS_AT_ONCE) }, (_, i) => {
            const part = (xs: Tensor) =>
              xs.slice(2, i * POSITIONS_AT_ONCE, (i + 1) * POSITIONS_AT_ONCE).to("float64");
            return scope(() => squaredDistances(part(x), part(y), weights).div(positions));
          });
        })
        .reduce((sum, each) => sum.add(each))
        .clampMin(0)
        .to("float32"),
    );
  }
}

/** Pictures in [-1, 1] with ImageNet's mean and deviation taken out: what VGG-16 sees in LPIPS. */
export function lpipsScaled(images: Tensor): Tensor {
  const perChannel = (values: readonly number[]) => tensor(values, { device: images.device }).view([3, 1, 1]);
  return scope(() => images.sub(perChannel(SHIFT)).div(perChannel(SCALE)));
}

/** Sum of weights (x - y)^2 of each x [N, C, P] and y [M, C, P], [N, M]. */
function squaredDistances(x: Tensor, y: Tensor, weights: Tensor): Tensor {
  const [weightedX, weightedY] = [x.mul(weights), y.mul(weights)];
  const products = weightedX.flatten(1).matmul(y.flatten(1).t());
  const squares = (xs: Tensor, weighted: Tensor) => weighted.mul(xs).sum([1, 2]);
  return squares(x, weightedX).unsqueeze(1).add(squares(y, weightedY)).sub(products.mul(2));
}

const unit = (maps: Tensor): Tensor => scope(() => maps.div(maps.square().sum([1], true).add(EPS).sqrt()));
