/** Group normalisation (Wu and He 2018, https://arxiv.org/abs/1803.08494) with keys `weight` and `bias` [channels]. */
import { ConfigError, groupNorm } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";
import { constant } from "./init.ts";
import { Module } from "./module.ts";
import type { Parameter } from "./parameter.ts";
import type { ParamStore } from "./param-store.ts";

export class GroupNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly numGroups: number;
  readonly eps: number;

  constructor(vs: ParamStore, numGroups: number, channels: number, { eps = 1e-5 }: { eps?: number } = {}) {
    super(vs);
    if (channels % numGroups !== 0) {
      throw new ConfigError(
        `${vs.path}: ${channels} channels cannot be split into ${numGroups} groups (norm_num_groups)`,
      );
    }
    this.numGroups = numGroups;
    this.eps = eps;
    this.weight = vs.parameter("weight", [channels], constant(1));
    this.bias = vs.parameter("bias", [channels], constant(0));
  }

  /** [B, C, ...] -> the same shape. */
  forward(xs: Tensor): Tensor {
    return groupNorm(xs, this.numGroups, this.weight.value, this.bias.value, this.eps);
  }
}
