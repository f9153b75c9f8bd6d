/**
 * Pillow's antialiased bilinear resize of 8-bit pictures, to the last bit (Pillow's src/libImaging/Resample.c: weights
 * in 22-bit fixed point, first along rows, then along columns, rounded to 8 bits after each).
 * libtorch's own 8-bit kernel has 16-bit weights: one value in two hundred then differs by a level.
 */

const PRECISION_BITS = 22;
const HALF = 1 << (PRECISION_BITS - 1);

/** Which source pixels make an output pixel: `weights` of those from `first` on. */
interface Taps {
  readonly first: number;
  readonly weights: Int32Array;
}

/** The taps of output pixels [from, from + count) when `size` source pixels become `newSize`. */
function bilinearTaps(
  size: number,
  newSize: number,
  { from, count }: { from: number; count: number },
): Taps[] {
  const scale = size / newSize;
  // Shrinking widens the triangle, so that every source pixel counts; enlarging keeps it.
  const support = Math.max(scale, 1);
  return Array.from({ length: count }, (_, i) => {
    const centre = (from + i + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - support + 0.5), 0);
    const end = Math.min(Math.trunc(centre + support + 0.5), size);
    const triangle = Array.from({ length: end - first }, (_, j) =>
      Math.max(1 - Math.abs((first + j - centre + 0.5) * (1 / support)), 0),
    );
    const sum = triangle.reduce((a, b) => a + b, 0);
    return {
      first,
      weights: Int32Array.from(triangle, (w) => Math.trunc((w / sum) * 2 ** PRECISION_BITS + 0.5)),
    };
  });
}

const clip8 = (sum: number): number => {
  const value = sum >> PRECISION_BITS;
  return value < 0 ? 0 : value > 255 ? 255 : value;
};

export interface Window {
  /** Size of the whole resized picture. */
  readonly newWidth: number;
  readonly newHeight: number;
  /** The square of it that is wanted. */
  readonly left: number;
  readonly top: number;
  readonly size: number;
}

/** A square of a resized picture, from RGB rows [height, width, 3] to planes [3, size, size]. */
export function pillowResize(
  { data, width, height }: { readonly data: Uint8Array; readonly width: number; readonly height: number },
  { newWidth, newHeight, left, top, size }: Window,
): Uint8Array {
  const columns = bilinearTaps(width, newWidth, { from: left, count: size });
  const rows = bilinearTaps(height, newHeight, { from: top, count: size });
  const firstRow = rows[0]?.first ?? 0;
  const lastRow = rows.reduce((last, { first, weights }) => Math.max(last, first + weights.length), 0);
  const stride = 3 * size;
  const narrow = new Uint8Array(Math.max(lastRow - firstRow, 0) * stride);
  for (let y = firstRow; y < lastRow; y++) {
    let to = (y - firstRow) * stride;
    for (const { first, weights } of columns) {
      let [r, g, b] = [HALF, HALF, HALF];
      let at = (y * width + first) * 3;
      for (const weight of weights) {
        r += weight * data[at]!;
        g += weight * data[at + 1]!;
        b += weight * data[at + 2]!;
        at += 3;
      }
      narrow[to++] = clip8(r);
      narrow[to++] = clip8(g);
      narrow[to++] = clip8(b);
    }
  }
  const plane = size * size;
  const result = new Uint8Array(3 * plane);
  const sums = new Int32Array(stride);
  rows.forEach(({ first, weights }, y) => {
    sums.fill(HALF);
    weights.forEach((weight, k) => {
      const row = (first - firstRow + k) * stride;
      for (let x = 0; x < stride; x++) sums[x]! += weight * narrow[row + x]!;
    });
    for (let x = 0, i = 0; x < size; x++)
      for (let c = 0; c < 3; c++) result[c * plane + y * size + x] = clip8(sums[i++]!);
  });
  return result;
}
