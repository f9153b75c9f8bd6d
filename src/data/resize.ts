/**
 * Shorter-side resize, square crop and mirroring as the Python training scripts do: torchvision Resize, then CenterCrop or
 * RandomCrop, then RandomHorizontalFlip, on PIL images.
 */
import { pillowResize } from "./pillow-resize.ts";

/** Decoded picture: rows of RGB bytes. */
export interface RgbImage {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Where a crop lies between its extreme positions, each from 0 (top, left) to 1 (bottom, right). */
export interface CropPosition {
  readonly vertical: number;
  readonly horizontal: number;
}

/** Square of `size` pixels, by default from the middle of the picture, as planes of R, G and B: [3, size, size]. */
export function resizeAndCrop(image: RgbImage, size: number, crop?: CropPosition): Uint8Array {
  const { width, height } = image;
  if (width === size && height === size) return planes(image);
  const short = Math.min(width, height);
  const newWidth = width === short ? size : Math.trunc((size * width) / height);
  const newHeight = height === short ? size : Math.trunc((size * height) / width);
  const top = offset(newHeight - size, crop?.vertical);
  const left = offset(newWidth - size, crop?.horizontal);
  return pillowResize(image, { newWidth, newHeight, left, top, size });
}

/** Pixels before the square when `slack` are to spare; every whole number from 0 to `slack` has the same share of positions. */
export function offset(slack: number, position: number | undefined): number {
  if (position === undefined) return halfToEven(slack / 2);
  return Math.min(Math.max(Math.floor(position * (slack + 1)), 0), slack);
}

/** Mirrors planes of rows of `width` pixels in place, left to right, and returns them. */
export function mirror(planes: Uint8Array, width: number): Uint8Array {
  for (let row = 0; row < planes.length; row += width) planes.subarray(row, row + width).reverse();
  return planes;
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
