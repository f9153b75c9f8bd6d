/** y = x W^T + b, keys `weight` [out, in] and `bias` [out]; mirrors torch.nn.Linear. */
import { linear } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";
import { fanInUniform } from "./init.ts";
import type { Init } from "./init.ts";
import type { LoraAdapter } from "./lora-adapter.ts";
import { Module } from "./module.ts";
import type { Parameter } from "./parameter.ts";
import type { ParamStore } from "./param-store.ts";

export interface LinearOptions {
  readonly bias?: boolean;
  /** Distribution of the weight when it is made new; the default is PyTorch's. */
  readonly init?: Init;
}

export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;
  /** Low-rank update, see lora.ts. */
  adapter: LoraAdapter | undefined;

  constructor(vs: ParamStore, inFeatures: number, outFeatures: number, options: LinearOptions = {}) {
    super(vs);
    const { bias = true, init = fanInUniform(inFeatures) } = options;
    this.weight = vs.parameter("weight", [outFeatures, inFeatures], init);
    this.bias = bias ? vs.parameter("bias", [outFeatures], fanInUniform(inFeatures)) : undefined;
  }

  /** [..., in] -> [..., out]. */
  forward(xs: Tensor): Tensor {
    const weight = this.adapter?.active ? this.adapter.composedWeight() : this.weight.value;
    return linear(xs, weight, this.bias?.value);
  }

  protected override hostState(): readonly unknown[] {
    return this.adapter?.graphKey() ?? [];
  }
}
