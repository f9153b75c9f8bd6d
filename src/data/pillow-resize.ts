/**
 * Pillow's antialiased resize of 8-bit pictures, to the last bit (Pillow's src/libImaging/Resample.c: weights in 22-bit fixed
 * point, first along rows, then along columns, rounded to 8 bits after each).
 * libtorch's own 8-bit kernel has 16-bit weights: one value in two hundred then differs by a level.
 */
import { type Filter, pillowTaps, reversed, type Taps } from "./pillow-taps.ts";
import { PAGE_BYTES, type ResizeKernel, resizeKernel } from "./wasm/resize-kernel.ts";

/** Decoded picture: rows of RGB bytes. */
export interface RgbImage {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** A rectangle of a resized picture. */
export interface Window {
  /** Size of the whole resized picture. */
  readonly newWidth: number;
  readonly newHeight: number;
  readonly left: number;
  readonly top: number;
  /** Size of the rectangle; one number for a square. */
  readonly size: number | readonly [height: number, width: number];
  /** Bilinear when absent. */
  readonly filter?: Filter | undefined;
  /** Left and right are swapped, after all else. */
  readonly mirrored?: boolean | undefined;
}

/** Source rows that are in the kernel's memory at once, in bytes: what fits into a processor's cache. */
const BAND_BYTES = 2 ** 20;
/** What the kernel may read and write beyond the end of anything. */
const SLACK = 16;
const CHANNELS = 3;
const LEVELS = 256;

const sizeOf = ({ size }: Window): readonly [height: number, width: number] =>
  typeof size === "number" ? [size, size] : size;

/** Number of values in the window's planes. */
const valueCount = (window: Window): number => sizeOf(window).reduce((a, b) => a * b, CHANNELS);

/** The window's planes of R, G and B, [3, height, width], written to `target` when given. */
export function pillowResize(
  image: RgbImage,
  window: Window,
  target: Uint8Array = new Uint8Array(valueCount(window)),
): Uint8Array {
  const { kernel, result } = resizeInMemory(image, window, 0);
  target.set(new Uint8Array(kernel.memory.buffer, result, target.length));
  return target;
}

/** As `pillowResize`, with the float that `levels` [3, 256] has for each channel's byte. */
export function pillowResizeToLevels(
  image: RgbImage,
  window: Window,
  levels: Float32Array,
  target: Float32Array = new Float32Array(valueCount(window)),
): Float32Array {
  const { kernel, result, extra } = resizeInMemory(image, window, levels.byteLength + target.byteLength);
  const { buffer } = kernel.memory;
  new Float32Array(buffer, extra, levels.length).set(levels);
  const plane = target.length / CHANNELS;
  const floats = extra + levels.byteLength;
  for (let c = 0; c < CHANNELS; c++)
    kernel.lookUp(result + c * plane, plane, extra + c * LEVELS * 4, floats + c * plane * 4);
  target.set(new Float32Array(buffer, floats, target.length));
  return target;
}

/** Where the planes lie in the kernel's memory, and `extraBytes` that are free. Both are lost with the next call. */
function resizeInMemory(
  image: RgbImage,
  window: Window,
  extraBytes: number,
): { kernel: ResizeKernel; result: number; extra: number } {
  const { newWidth, newHeight, left, top, filter = "bilinear", mirrored } = window;
  const [height, width] = sizeOf(window);
  const upright = pillowTaps(image.width, newWidth, { from: left, count: width }, filter);
  const columns = mirrored ? reversed(upright) : upright;
  const rows = pillowTaps(image.height, newHeight, { from: top, count: height }, filter);
  const firstRow = rows.firsts[0]!;
  const rowCount = rows.firsts.at(-1)! + rows.count - firstRow;
  const rowBytes = image.width * CHANNELS;
  const bandRows = Math.min(rowCount, Math.max(1, Math.floor(BAND_BYTES / rowBytes)));
  const plane = rowCount * width;

  const kernel = resizeKernel();
  const places = reserve(kernel, [
    columns.firsts.byteLength,
    columns.weights.byteLength,
    rows.firsts.byteLength,
    rows.weights.byteLength,
    bandRows * rowBytes,
    CHANNELS * plane,
    CHANNELS * width * height,
    extraBytes,
  ]);
  const [columnFirsts, columnWeights, rowFirsts, rowWeights, band, narrow, result, extra] = places;
  const { buffer } = kernel.memory;
  put(buffer, columns, { firsts: columnFirsts, weights: columnWeights, stride: CHANNELS, origin: 0 });
  put(buffer, rows, { firsts: rowFirsts, weights: rowWeights, stride: width, origin: firstRow });

  const bandMemory = new Uint8Array(buffer, band, bandRows * rowBytes);
  for (let done = 0; done < rowCount; done += bandRows) {
    const count = Math.min(bandRows, rowCount - done);
    const from = (firstRow + done) * rowBytes;
    bandMemory.set(image.data.subarray(from, from + count * rowBytes));
    kernel.alongRows(
      ...([band, rowBytes, count, columnFirsts, columnWeights, columns.count] as const),
      ...([narrow + done * width, plane, width] as const),
    );
  }
  for (let c = 0; c < CHANNELS; c++)
    kernel.alongColumns(
      ...([narrow + c * plane, width, rowFirsts, rowWeights, rows.count] as const),
      ...([result + c * width * height, height] as const),
    );
  return { kernel, result, extra };
}

/** Places for pieces of so many bytes, one after the other; the memory grows when it must. */
function reserve<const Sizes extends readonly number[]>(
  { memory }: ResizeKernel,
  sizes: Sizes,
): { [I in keyof Sizes]: number } {
  let end = 0;
  const places = sizes.map((bytes) => {
    const place = end;
    end = Math.ceil((end + bytes + SLACK) / SLACK) * SLACK;
    return place;
  });
  const missing = Math.ceil((end - memory.buffer.byteLength) / PAGE_BYTES);
  if (missing > 0) memory.grow(missing);
  return places as { [I in keyof Sizes]: number };
}

/** Writes taps as the kernel wants them: first pixels as bytes of `stride` each from pixel `origin` on. */
function put(
  buffer: ArrayBuffer,
  taps: Taps,
  { firsts, weights, stride, origin }: { firsts: number; weights: number; stride: number; origin: number },
): void {
  const at = new Int32Array(buffer, firsts, taps.firsts.length);
  for (let i = 0; i < at.length; i++) at[i] = (taps.firsts[i]! - origin) * stride;
  new Int32Array(buffer, weights, taps.weights.length).set(taps.weights);
}
