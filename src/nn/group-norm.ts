/** Group normalisation (Wu and He 2018, https://arxiv.org/abs/1803.08494) with keys `weight` and `bias` [channels]. */
import { ConfigError, fusedGroupNorm, groupNorm, kernelsInUse, scope } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";
import { silu } from "./activations.ts";
import type { Activation } from "./activations.ts";
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

  /**
   * [B, C, ...] -> the same shape, with `silu` followed by SiLU.
   * On a card with the project's kernels that is one step, which keeps channels-last and the input's dtype (also under
   * autocast); elsewhere it is libtorch's group_norm, then its silu.
   */
  forward(xs: Tensor, { silu: withSilu = false }: { silu?: boolean } = {}): Tensor {
    const { numGroups, eps } = this;
    const [weight, bias] = [this.weight.value, this.bias.value];
    if (kernelsInUse(xs.device)) {
      return fusedGroupNorm(xs, numGroups, weight, bias, { eps, silu: withSilu });
    }
    if (!withSilu) return groupNorm(xs, numGroups, weight, bias, eps);
    return scope(() => groupNorm(xs, numGroups, weight, bias, eps).silu());
  }

  /** [B, C, ...] -> the same shape: normalised, then `act`; in one step where act is SiLU and the kernels are there. */
  forwardThen(xs: Tensor, act: Activation): Tensor {
    if (act === silu) return this.forward(xs, { silu: true });
    return scope(() => act(this.forward(xs)));
  }
}
