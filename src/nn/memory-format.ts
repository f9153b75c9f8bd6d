/**
 * How feature maps lie in memory: plane after plane, or with the channels of a pixel together ("channels last"), which
 * convolutions on a card want. A convolution's result lies as its weight does, and every other layer keeps what it is
 * given, so that the weights decide for a whole model. Shapes and files know nothing of it.
 */
import { isChannelsLast, isHost } from "../torch/index.ts";
import type { Device, Tensor } from "../torch/index.ts";

export type WeightFormat = "contiguous_format" | "channels_last";

/** What a device computes fastest with: the processor keeps its planes. */
export const formatFor = (device: Device): WeightFormat =>
  isHost(device) || device === "meta" ? "contiguous_format" : "channels_last";

/** How a tensor lies; planes where there is one channel or one pixel, which lie both ways. */
export function formatOf(xs: Tensor): WeightFormat {
  if (!isChannelsLast(xs)) return "contiguous_format";
  const [, channels, height, width] = xs.shape as [number, number, number, number];
  return channels === 1 || height * width === 1 ? "contiguous_format" : "channels_last";
}

/** The tensor itself where it is no map or lies so already, otherwise a copy that does. */
export function inFormat(xs: Tensor, format: WeightFormat | undefined): Tensor {
  if (format === undefined || xs.ndim !== 4 || format === formatOf(xs)) return xs;
  return format === "channels_last" && isChannelsLast(xs) ? xs : xs.detach().clone({ memoryFormat: format });
}
