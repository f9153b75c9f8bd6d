/** The convolutions of VGG-16 in five stages, a 2 x 2 maximum before each but the first (and after the last, in VGG-16). */
import { chain, Conv2d, Module } from "../../nn/index.ts";
import type { ParamStore } from "../../nn/index.ts";
import { maxPool2d, scope } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";

/** Channels of the stages as published. */
export const VGG16_CHANNELS: readonly number[] = [64, 128, 256, 512, 512];

/** Places of each stage's convolutions in torchvision's list of layers, which are their keys. */
export const VGG16_KEYS: readonly (readonly number[])[] = [
  [0, 2],
  [5, 7],
  [10, 12, 14],
  [17, 19, 21],
  [24, 26, 28],
];

export interface VggStagesOptions {
  readonly channels: readonly number[];
  /** Name above a stage's keys, such as "slice1"; by default there is none. */
  readonly stageName?: (stage: number) => string;
}

export class VggStages extends Module {
  readonly #stages: readonly (readonly Conv2d[])[];

  constructor(vs: ParamStore, { channels, stageName = () => "" }: VggStagesOptions) {
    super(vs);
    this.#stages = VGG16_KEYS.map((keys, stage) => {
      const width = channels[stage]!;
      const before = channels[stage - 1] ?? 3;
      return keys.map((key, i) => new Conv2d(vs.at(stageName(stage), key), i === 0 ? before : width, width));
    });
  }

  /** The maps after each stage's last ReLU, made one after another: the caller disposes of each. */
  *stages(images: Tensor): Generator<Tensor> {
    let h = images;
    for (const [stage, convolutions] of this.#stages.entries()) {
      const input = h;
      h = scope(() => {
        const start = stage === 0 ? input : maxPool2d(input, 2, 2);
        return chain(
          start,
          convolutions.map((conv) => (xs: Tensor) => scope(() => conv.forward(xs).relu())),
        );
      });
      yield h;
    }
  }

  /** Normalised pictures [N, 3, H, W] -> [N, channels of the last, H / 32, W / 32], with the last maximum. */
  forward(images: Tensor): Tensor {
    return scope(() => {
      let last: Tensor | undefined;
      for (const maps of this.stages(images)) {
        last?.dispose();
        last = maps;
      }
      return maxPool2d(last!, 2, 2);
    });
  }
}
