/**
 * Shorter-side resize and centre crop as the Python training scripts do (torchvision Resize + CenterCrop on PIL images).
 */
import { pillowResize } from "./pillow-resize.ts";

/** Decoded picture: rows of RGB bytes. */
export interface RgbImage {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Square of `size` pixels from the middle of the picture, as planes of R, G and B: [3, size, size]. */
export function resizeAndCrop(image: RgbImage, size: number): Uint8Array {
  const { width, height } = image;
  if (width === size && height === size) return planes(image);
  const short = Math.min(width, height);
  const newWidth = width === short ? size : Math.trunc((size * width) / height);
  const newHeight = height === short ? size : Math.trunc((size * height) / width);
  const top = halfToEven((newHeight - size) / 2);
  const left = halfToEven((newWidth - size) / 2);
  return pillowResize(image, { newWidth, newHeight, left, top, size });
}

/** Python's round(): halves go to the even neighbour. */
function halfToEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

function planes({ data, width, height }: RgbImage): Uint8Array {
  const count = width * height;
  const result = new Uint8Array(count * 3);
  for (let i = 0; i < count; i++) {
    result[i] = data[i * 3] as number;
    result[count + i] = data[i * 3 + 1] as number;
    result[2 * count + i] = data[i * 3 + 2] as number;
  }
  return result;
}
