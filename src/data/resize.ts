/**
 * Resizing and cropping as the Python training scripts do it: torchvision's Resize, then CenterCrop or RandomCrop, then
 * RandomHorizontalFlip, on PIL images.
 */
import { ConfigError } from "../torch/errors.ts";
import { pillowResize, type RgbImage, type Window } from "./pillow-resize.ts";
import type { Filter } from "./pillow-taps.ts";

export type { RgbImage } from "./pillow-resize.ts";

/** Where a crop lies between its extreme positions, each from 0 (top, left) to 1 (bottom, right). */
export interface CropPosition {
  readonly vertical: number;
  readonly horizontal: number;
}

/** What becomes of pictures of any size. */
export interface Fit {
  /** Shorter side, in proportion (torchvision's `Resize(size)`). */
  readonly size?: number | undefined;
  /** Instead of `size`: both sides, whatever becomes of the proportions (`Resize((height, width))`). */
  readonly squash?: readonly [height: number, width: number] | undefined;
  /** Size of what is cut out afterwards; absent: a square of `size`, or all of a squashed picture. */
  readonly crop?: number | readonly [height: number, width: number] | undefined;
  /** Bilinear when absent, as torchvision's. */
  readonly filter?: Filter | undefined;
}

/** How one picture differs from the others. */
export interface Placement {
  /** Where the crop lies; absent: in the middle. */
  readonly crop?: CropPosition | undefined;
  /** Left and right are swapped. */
  readonly mirrored?: boolean | undefined;
}

/** Height and width of every result. Errors: ConfigError for sizes that are none, or a crop that is larger than the picture. */
export function fittedSize({ size, squash, crop }: Fit): readonly [height: number, width: number] {
  if ((size === undefined) === (squash === undefined))
    throw new ConfigError(
      `size = ${size} and squash = ${squash?.join(" x ")} were given; expected one of the two.`,
    );
  const resized = squash ?? [size!, size!];
  const cut = crop === undefined ? resized : typeof crop === "number" ? ([crop, crop] as const) : crop;
  for (const [name, side] of [
    ["size", resized[0]],
    ["size", resized[1]],
    ["crop", cut[0]],
    ["crop", cut[1]],
  ] as const)
    if (!Number.isInteger(side) || side < 1)
      throw new ConfigError(`${name} = ${side} pixels was given; expected a whole number of 1 or more.`);
  if (cut[0] > resized[0] || cut[1] > resized[1])
    throw new ConfigError(
      `crop = ${cut.join(" x ")} was given for pictures of ${resized.join(" x ")}; expected no more than that.`,
    );
  return cut;
}

/** The rectangle of the resized picture that is wanted. Errors: those of `fittedSize`. */
export function fitWindow(
  { width, height }: Pick<RgbImage, "width" | "height">,
  fit: Fit,
  { crop, mirrored }: Placement = {},
): Window {
  const size = fittedSize(fit);
  const [newHeight, newWidth] = fit.squash ?? shorterSide(fit.size!, height, width);
  return {
    ...{ newWidth, newHeight, size, mirrored, filter: fit.filter },
    top: offset(newHeight - size[0], crop?.vertical),
    left: offset(newWidth - size[1], crop?.horizontal),
  };
}

function shorterSide(size: number, height: number, width: number): readonly [height: number, width: number] {
  return width <= height
    ? [Math.trunc((size * height) / width), size]
    : [size, Math.trunc((size * width) / height)];
}

/** Square of `size` pixels, by default from the middle of the picture, as planes of R, G and B: [3, size, size]. */
export const resizeAndCrop = (image: RgbImage, size: number, crop?: CropPosition): Uint8Array =>
  pillowResize(image, fitWindow(image, { size }, { crop }));

/** Pixels before the crop when `slack` are to spare; every whole number from 0 to `slack` has the same share of positions. */
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
