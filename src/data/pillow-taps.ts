/** Which source pixels make an output pixel when Pillow resizes 8-bit pictures, and their weights: precompute_coeffs of its src/libImaging/Resample.c. */

export type Filter = "bilinear" | "bicubic";

/** Weights are whole numbers: 22 bits after the point. */
export const PRECISION_BITS = 22;

/** Output pixel i is the sum of the source pixels from `firsts[i]` on, times `weights[i * count]` to `weights[i * count + count - 1]`. */
export interface Taps {
  readonly firsts: Int32Array;
  readonly weights: Int32Array;
  /** Source pixels of each output pixel, those with a weight of 0 included; never more than there are. */
  readonly count: number;
}

/** The part [from, from + count) of all output pixels. */
export interface Part {
  readonly from: number;
  readonly count: number;
}

interface Kernel {
  /** Source pixels on either side when nothing shrinks. */
  readonly support: number;
  readonly weight: (distance: number) => number;
}

const KERNELS: Readonly<Record<Filter, Kernel>> = {
  bilinear: { support: 1, weight: (x) => Math.max(1 - Math.abs(x), 0) },
  // Keys' cubic convolution with a = -0.5.
  bicubic: {
    support: 2,
    weight(distance) {
      const x = Math.abs(distance);
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
    },
  },
};

/** The pictures of a data set have few sizes. */
const MOST_KEPT = 64;
const kept = new Map<string, Taps>();

/** Taps when `size` pixels become `newSize`; not to be changed, since those made last are kept. */
export function pillowTaps(size: number, newSize: number, part: Part, filter: Filter): Taps {
  const key = `${size} ${newSize} ${part.from} ${part.count} ${filter}`;
  const found = kept.get(key) ?? makeTaps(size, newSize, part, filter);
  kept.delete(key);
  kept.set(key, found);
  if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value!);
  return found;
}

function makeTaps(size: number, newSize: number, { from, count }: Part, filter: Filter): Taps {
  const { support: radius, weight } = KERNELS[filter];
  const scale = size / newSize;
  // Shrinking widens the kernel, so that every source pixel counts; enlarging keeps it.
  const stretch = Math.max(scale, 1);
  const support = radius * stretch;
  const perPixel = 1 / stretch;
  const firsts = new Int32Array(count);
  const lengths = new Int32Array(count);
  let taps = 1;
  for (let i = 0; i < count; i++) {
    const centre = (from + i + 0.5) * scale;
    firsts[i] = Math.max(Math.trunc(centre - support + 0.5), 0);
    lengths[i] = Math.min(Math.trunc(centre + support + 0.5), size) - firsts[i]!;
    taps = Math.max(taps, lengths[i]!);
  }
  const weights = new Int32Array(count * taps);
  const values = new Float64Array(taps);
  for (let i = 0; i < count; i++) {
    const [first, length] = [firsts[i]!, lengths[i]!];
    const centre = (from + i + 0.5) * scale;
    let sum = 0;
    for (let j = 0; j < length; j++) {
      values[j] = weight((first + j - centre + 0.5) * perPixel);
      sum += values[j]!;
    }
    // At the end of the picture there are fewer pixels: leading weights of 0 keep all taps inside.
    firsts[i] = Math.min(first, size - taps);
    const at = i * taps + first - firsts[i]!;
    for (let j = 0; j < length; j++) weights[at + j] = fixedPoint(values[j]! / sum);
  }
  return { firsts, weights, count: taps };
}

const fixedPoint = (value: number): number =>
  Math.trunc(value * 2 ** PRECISION_BITS + (value < 0 ? -0.5 : 0.5));

/** The same taps for output pixels in the opposite order. */
export function reversed({ firsts, weights, count }: Taps): Taps {
  const result = new Int32Array(weights.length);
  for (let i = 0; i < firsts.length; i++)
    result.set(weights.subarray(i * count, (i + 1) * count), (firsts.length - 1 - i) * count);
  return { firsts: firsts.toReversed(), weights: result, count };
}
