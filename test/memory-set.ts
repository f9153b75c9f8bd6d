// A small training set in memory, for tests of what comes after the encoders.
import type { TrainingSet } from "../src/data/index.ts";
import {
  cat,
  type Device,
  Generator,
  keep,
  randn,
  scope,
  tensor,
  type Tensor,
  upload,
} from "../src/torch/index.ts";

export interface MemorySetOptions {
  readonly images: number;
  /** [C, h, w]. */
  readonly latentShape: readonly [number, number, number];
  /** [L, D] of one caption's states. */
  readonly stateShape: readonly [number, number];
  /** The empty one, which comes last, not counted. */
  readonly captions?: number;
  readonly seed?: number;
  readonly scalingFactor?: number;
  /** Where batches go; the images stay on the CPU. */
  readonly device?: Device;
}

/** Random moments and states; image i has caption i modulo their number, and the next one as its second. */
export function memorySet(options: MemorySetOptions): TrainingSet & { moments: Tensor; states: Tensor } {
  const { images, latentShape, stateShape, captions: count = 2, seed = 0, scalingFactor = 0.5 } = options;
  const { device = "cpu" } = options;
  const [channels, height, width] = latentShape;
  const generator = new Generator().manualSeed(seed);
  const draw = () => randn([images, channels, height, width], { generator });
  const moments = keep(scope(() => cat([draw(), draw().sub(3)], 1)));
  const states = keep(scope(() => randn([count + 1, ...stateShape], { generator })));
  const index = (values: Int32Array) => tensor(values, { dtype: "int64" });
  return {
    ids: Array.from({ length: images }, (_, i) => `${i}.png`),
    captions: [...Array.from({ length: count }, (_, i) => `caption ${i}`), ""],
    captionsOf: Array.from({ length: images }, (_, i) => [i % count, (i + 1) % count]),
    ...{ latentShape, scalingFactor, moments, states, device },
    load: ({ rows, captions, flips }) =>
      Promise.resolve(
        scope(() => {
          const own = moments.indexSelect(0, index(rows));
          const parts = own.split(1, 0).map((one, i) => (flips?.[i] ? one.flip([3]) : one));
          return {
            moments: keep(upload(flips ? cat(parts, 0) : own, device)),
            encoderHiddenStates: keep(upload(states.indexSelect(0, index(captions)), device)),
          };
        }),
      ),
    [Symbol.dispose]() {
      moments.dispose();
      states.dispose();
    },
  };
}
