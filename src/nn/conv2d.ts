/** Two-dimensional convolution, keys `weight` [out, in, height, width] and `bias` [out]; mirrors torch.nn.Conv2d. */
import { conv2d } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";
import { fanInUniform } from "./init.ts";
import type { Init } from "./init.ts";
import type { LoraAdapter } from "./lora-adapter.ts";
import { Module } from "./module.ts";
import type { Parameter } from "./parameter.ts";
import type { ParamStore } from "./param-store.ts";

export interface Conv2dOptions {
  /** One number for squares, or height and width. */
  readonly kernelSize?: number | readonly [number, number];
  readonly stride?: number;
  /** On every side; without it as much as keeps the size (odd kernels, stride 1). */
  readonly padding?: number;
  readonly bias?: boolean;
  /** Distribution of the weight when it is made new; the default is PyTorch's. */
  readonly init?: Init;
}

export class Conv2d extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;
  readonly stride: number[];
  readonly padding: number[];
  /** Low-rank update, see lora.ts. */
  adapter: LoraAdapter | undefined;

  constructor(vs: ParamStore, inChannels: number, outChannels: number, options: Conv2dOptions = {}) {
    super(vs);
    const { kernelSize = 3, stride = 1, padding, bias = true } = options;
    const kernel = typeof kernelSize === "number" ? [kernelSize, kernelSize] : [...kernelSize];
    const byFanIn = fanInUniform(kernel.reduce((a, b) => a * b, inChannels));
    const { init = byFanIn } = options;
    this.weight = vs.parameter("weight", [outChannels, inChannels, ...kernel], init);
    this.bias = bias ? vs.parameter("bias", [outChannels], byFanIn) : undefined;
    this.stride = [stride, stride];
    this.padding = kernel.map((size) => padding ?? (size - 1) / 2);
  }

  /** [B, in, H, W] -> [B, out, H', W']. */
  forward(xs: Tensor): Tensor {
    const weight = this.adapter?.active ? this.adapter.composedWeight() : this.weight.value;
    return conv2d(xs, weight, this.bias?.value, this.stride, this.padding);
  }

  protected override hostState(): readonly unknown[] {
    return this.adapter?.graphKey() ?? [];
  }
}
