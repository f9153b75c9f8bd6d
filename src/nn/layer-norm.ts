/** Layer normalisation over the last dimension (https://arxiv.org/abs/1607.06450), keys `weight` and `bias` [dim]. */
import { layerNorm } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";
import { constant } from "./init.ts";
import { Module } from "./module.ts";
import type { Parameter } from "./parameter.ts";
import type { ParamStore } from "./param-store.ts";

export class LayerNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly eps: number;
  readonly #shape: number[];

  constructor(vs: ParamStore, dim: number, { eps = 1e-5 }: { eps?: number } = {}) {
    super(vs);
    this.#shape = [dim];
    this.eps = eps;
    this.weight = vs.parameter("weight", [dim], constant(1));
    this.bias = vs.parameter("bias", [dim], constant(0));
  }

  /** [..., dim] -> the same shape. */
  forward(xs: Tensor): Tensor {
    return layerNorm(xs, this.#shape, this.weight.value, this.bias.value, this.eps);
  }
}
