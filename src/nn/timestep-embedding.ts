/**
 * Timesteps as vectors: sinusoids (Ho et al. 2020, https://arxiv.org/abs/2006.11239, as diffusers' get_timestep_embedding)
 * and the two-layer network that follows them, keys `linear_1.*` and `linear_2.*`.
 */
import { arange, cat } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";
import { activation } from "./activations.ts";
import type { Activation } from "./activations.ts";
import { Linear } from "./linear.ts";
import { Module } from "./module.ts";
import type { Parameter } from "./parameter.ts";
import type { ParamStore } from "./param-store.ts";

const MAX_PERIOD = 10000;

export interface SinusoidOptions {
  /** Cosines first. */
  readonly flipSinToCos?: boolean;
  /** `freq_shift` of the configuration: subtracted from half the dimension in the exponent's divisor. */
  readonly downscaleFreqShift?: number;
}

export class SinusoidalTimesteps extends Module {
  readonly #frequencies: Parameter;
  readonly #flipSinToCos: boolean;
  readonly #odd: boolean;

  constructor(
    vs: ParamStore,
    dim: number,
    { flipSinToCos = false, downscaleFreqShift = 1 }: SinusoidOptions = {},
  ) {
    super(vs);
    const half = Math.floor(dim / 2);
    this.#odd = dim % 2 === 1;
    this.#flipSinToCos = flipSinToCos;
    this.#frequencies = vs.derivedBuffer("frequencies", () =>
      arange(0, half, 1, { dtype: "float32" })
        .mul(-Math.log(MAX_PERIOD))
        .div(half - downscaleFreqShift)
        .exp(),
    );
  }

  /** [B] (any number type) -> float32 [B, dim]. */
  forward(timesteps: Tensor): Tensor {
    const angles = timesteps.to("float32").unsqueeze(1).mul(this.#frequencies.value);
    const parts = this.#flipSinToCos ? [angles.cos(), angles.sin()] : [angles.sin(), angles.cos()];
    if (this.#odd) parts.push(angles.slice(1, 0, 1).mul(0));
    return cat(parts, 1);
  }
}

export class TimestepEmbedding extends Module {
  readonly #linear1: Linear;
  readonly #linear2: Linear;
  readonly #act: Activation;

  constructor(vs: ParamStore, inDim: number, embedDim: number, { actFn = "silu" }: { actFn?: string } = {}) {
    super(vs);
    this.#linear1 = new Linear(vs.at("linear_1"), inDim, embedDim);
    this.#linear2 = new Linear(vs.at("linear_2"), embedDim, embedDim);
    this.#act = activation(actFn);
  }

  /** [B, inDim] -> [B, embedDim]. */
  forward(xs: Tensor): Tensor {
    return this.#linear2.forward(this.#act(this.#linear1.forward(xs)));
  }
}
