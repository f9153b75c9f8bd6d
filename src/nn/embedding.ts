/** A table of vectors, key `weight` [count, dim]; mirrors torch.nn.Embedding (N(0, 1) when made new). */
import { embedding } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";
import { normal } from "./init.ts";
import { Module } from "./module.ts";
import type { Parameter } from "./parameter.ts";
import type { ParamStore } from "./param-store.ts";

export class Embedding extends Module {
  readonly weight: Parameter;

  constructor(vs: ParamStore, count: number, dim: number, { std = 1 }: { std?: number } = {}) {
    super(vs);
    this.weight = vs.parameter("weight", [count, dim], normal(std));
  }

  /** int64 [...] -> [..., dim]. */
  forward(indices: Tensor): Tensor {
    return embedding(this.weight.value, indices);
  }
}
