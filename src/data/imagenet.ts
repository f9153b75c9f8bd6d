// Pictures as networks that were trained on ImageNet see them: squashed to a square whatever their shape (torchvision's
// Resize((s, s)) on PIL images), then normalised. The classifiers' training and evaluation and VGG-16 share it.
import { pillowResize } from "./pillow-resize.ts";
import { type Fit, fitWindow } from "./resize.ts";
import { scope, type Tensor, tensor, upload } from "../torch/index.ts";

/** Means and standard deviations of ImageNet's channels, for values from 0 to 1. */
export const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;

/** Size of the pictures that the reference and ImageNet's checkpoints were trained with. */
export const IMAGE_SIZE = 224;

/** What becomes of a picture: a square, its proportions not kept. */
export const squashTo = (size: number): Fit => ({ squash: [size, size] });

/** uint8 images [N, 3, H, W] on the CPU, squashed one by one to [N, 3, size, size]. */
export function squashed(images: Tensor, size: number): Tensor {
  const [count = 0, , height = 0, width = 0] = images.shape;
  if (height === size && width === size) return images.alias();
  const each = 3 * size * size;
  const result = new Uint8Array(count * each);
  scope(() => {
    for (let i = 0; i < count; i++) {
      const data = scope(() => images.select(0, i).permute([1, 2, 0]).contiguous().toArray()) as Uint8Array;
      const image = { data, width, height };
      pillowResize(image, fitWindow(image, squashTo(size)), result.subarray(i * each, (i + 1) * each));
    }
  });
  return tensor(result, { shape: [count, 3, size, size] });
}

/** uint8 images to float32 with mean 0 and deviation 1 in each channel, on a device. */
export function normalised(
  images: Tensor,
  { mean, std, device }: { mean: readonly number[]; std: readonly number[]; device: string },
): Tensor {
  return scope(() => {
    const channels = (values: readonly number[]) => upload(tensor([...values]), device).view([3, 1, 1]);
    return upload(images, device).to("float32").div(255).sub(channels(mean)).div(channels(std));
  });
}
