/**
 * Batch normalisation (Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167), keys `weight`, `bias`, `running_mean`,
 * `running_var` [channels] and the counter `num_batches_tracked`; mirrors torch.nn.BatchNorm2d. After `train()` a batch
 * is normalised by its own statistics, which also move the running ones (variance unbiased); after `eval()`, and at
 * first, the running ones are used.
 */
import { batchNorm, noGrad, scope, ShapeError } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";
import { constant } from "./init.ts";
import { Module } from "./module.ts";
import type { Parameter } from "./parameter.ts";
import type { ParamStore } from "./param-store.ts";

export interface BatchNormOptions {
  readonly eps?: number;
  /** Weight of a new batch in the running statistics. */
  readonly momentum?: number;
}

export class BatchNorm2d extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly runningMean: Parameter;
  readonly runningVar: Parameter;
  /** int64, no dimensions; files older than PyTorch 0.4.1 lack it. */
  readonly numBatchesTracked: Parameter;
  readonly eps: number;
  readonly momentum: number;

  constructor(vs: ParamStore, channels: number, { eps = 1e-5, momentum = 0.1 }: BatchNormOptions = {}) {
    super(vs);
    this.eps = eps;
    this.momentum = momentum;
    this.weight = vs.parameter("weight", [channels], constant(1));
    this.bias = vs.parameter("bias", [channels], constant(0));
    this.runningMean = vs.buffer("running_mean", [channels], constant(0));
    this.runningVar = vs.buffer("running_var", [channels], constant(1));
    const counter = { whole: true, optional: true };
    this.numBatchesTracked = vs.buffer("num_batches_tracked", [], constant(0), counter);
  }

  /** [B, C, H, W] -> the same shape. @throws ShapeError for a training batch of one value per channel */
  forward(xs: Tensor): Tensor {
    if (this.training) this.#count(xs);
    return batchNorm(
      xs,
      this.weight.value,
      this.bias.value,
      this.runningMean.value,
      this.runningVar.value,
      this.training,
      this.momentum,
      this.eps,
      true,
    );
  }

  #count(xs: Tensor): void {
    if (xs.numel === xs.shape[1]) {
      throw new ShapeError(
        `${this.weight.key}: a training batch of shape [${xs.shape.join(", ")}] has one value per channel, so no variance; give more images or larger ones`,
      );
    }
    noGrad(() => scope(() => this.numBatchesTracked.value.add_(1)));
  }
}
