/**
 * Pictures as the networks of evaluation want them: every function takes uint8 [N, 3, H, W] on the CPU and gives float32.
 * Compared with Pillow, torchvision and torchmetrics in preprocess.test.ts.
 */
import { IMAGENET, normalised, squashed } from "../../data/imagenet.ts";
import { INCEPTION_SIZE, VGG16_SIZE } from "../../models/index.ts";
import { arange, cat, scope, upsampleBicubic2dAa, upsampleNearest2d } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";

/** Side of the squares that the reference compares. */
const REFERENCE_SIZE = 255;

/**
 * Inception's input as clean-fid makes it (Parmar et al. 2022, https://arxiv.org/abs/2104.11222): antialiased bicubic
 * resize of each channel to 299 pixels, neither rounded nor clipped, then (x - 128) / 128.
 */
export const cleanInceptionInput = (images: Tensor): Tensor =>
  eachPicture(images, (image) => {
    // In float64: Pillow's weights are that too, and libtorch's in float32 would be off by up to 0.006 levels.
    const resized = upsampleBicubic2dAa(image.to("float64"), [INCEPTION_SIZE, INCEPTION_SIZE], false);
    return inceptionRange(resized.to("float32"));
  });

/**
 * Inception's input as the reference has it: squares of 255 pixels by Pillow, then torchmetrics' FID of its time, which
 * enlarges as TensorFlow 1 did, without antialiasing and half a pixel off (torchmetrics since 2025 antialiases).
 */
export const referenceInceptionInput = (images: Tensor): Tensor =>
  eachPicture(images, (image) =>
    inceptionRange(tensorflowResize(squashed(image, REFERENCE_SIZE).to("float32"), INCEPTION_SIZE)),
  );

/** (x - 128) / 128, as in TensorFlow's graph. */
const inceptionRange = (images: Tensor): Tensor => images.sub(128).div(128);

/** VGG-16's input as torchvision's networks were trained: squares of 224 pixels by Pillow, ImageNet's mean and deviation. */
export const imagenetInput = (images: Tensor): Tensor =>
  eachPicture(images, (image) => normalised(squashed(image, VGG16_SIZE), { ...IMAGENET, device: "cpu" }));

/** VGG-16's input as the reference has it: squares of 255 pixels, every so many of which are left out, in [0, 1]. */
export const referenceVggInput = (images: Tensor): Tensor =>
  eachPicture(images, (image) => {
    const scaled = squashed(image, REFERENCE_SIZE).to("float32").div(255);
    return upsampleNearest2d(scaled, [VGG16_SIZE, VGG16_SIZE]);
  });

/** LPIPS' input: [-1, 1], in the pictures' own size. */
export const lpipsInput = (images: Tensor): Tensor => scope(() => images.to("float32").div(127.5).sub(1));

/** Pictures one by one, so that memory stays small and none depends on the others. */
function eachPicture(images: Tensor, prepare: (image: Tensor) => Tensor): Tensor {
  return scope(() =>
    cat(Array.from({ length: images.shape[0]! }, (_, i) => scope(() => prepare(images.slice(0, i, i + 1))))),
  );
}

/** TensorFlow 1's resize_bilinear without aligned corners: output i lies at i * in / out, between its two neighbours. */
function tensorflowResize(image: Tensor, size: number): Tensor {
  return [3, 2].reduce((xs, dim) => {
    const length = xs.shape[dim]!;
    const positions = arange(0, size, 1, { dtype: "float32" }).mul(length / size);
    const below = positions.floor();
    const share = positions.sub(below).view(dim === 3 ? [1, 1, 1, size] : [1, 1, size, 1]);
    const pixels = (places: Tensor) => xs.indexSelect(dim, places.to("int64"));
    const lower = pixels(below);
    return lower.add(
      pixels(below.add(1).clamp(0, length - 1))
        .sub(lower)
        .mul(share),
    );
  }, image);
}
