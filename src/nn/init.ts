/**
 * How a freshly made parameter is filled: data, not code, so that a ParamStore may ignore it when the values come
 * from a checkpoint. The bounds are those of PyTorch's default `reset_parameters`.
 */
import { empty, full, ones, zeros } from "../torch/index.ts";
import type { Device, DType, Generator, Tensor } from "../torch/index.ts";

export type Init =
  | { readonly kind: "uniform"; readonly bound: number }
  | { readonly kind: "normal"; readonly std: number }
  | { readonly kind: "constant"; readonly value: number };

export const constant = (value: number): Init => ({ kind: "constant", value });
export const normal = (std: number): Init => ({ kind: "normal", std });

/**
 * PyTorch's default for linear and convolution weights and biases, `kaiming_uniform_(a = sqrt(5))`,
 * which is U(-1/sqrt(fanIn), 1/sqrt(fanIn)).
 */
export const fanInUniform = (fanIn: number): Init => ({ kind: "uniform", bound: 1 / Math.sqrt(fanIn) });

/** Makes a tensor of the given shape; random values are drawn on the CPU so that a seed means the same on any device. */
export function initialize(
  init: Init,
  shape: readonly number[],
  { generator, dtype, device }: { generator: Generator; dtype: DType; device: Device },
): Tensor {
  const size = [...shape];
  const place = (made: Tensor) =>
    made.dtype === dtype && made.device === device ? made : made.to({ dtype, device });
  if (device === "meta") return empty(size, { dtype, device });
  switch (init.kind) {
    case "uniform":
      return place(empty(size).uniform_(-init.bound, init.bound, { generator }));
    case "normal":
      return place(empty(size).normal_(0, init.std, { generator }));
    case "constant":
      if (init.value === 0) return zeros(size, { dtype, device });
      if (init.value === 1) return ones(size, { dtype, device });
      return full(size, init.value, { dtype, device });
  }
}
