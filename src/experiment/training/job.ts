// What a training run is made of, whichever stage it serves: the loop knows nothing else.
import type { Batches, DrawOptions, TrainingSet } from "../../data/index.ts";
import type { Objective } from "../../method/index.ts";
import type { Denoiser } from "../../pipelines/index.ts";
import type { Scheduler } from "../../schedulers/index.ts";
import type { Tensor } from "../../torch/index.ts";
import type { TrainingConfig } from "../config-schema.ts";

export interface TrainingJob {
  readonly options: TrainingConfig;
  readonly set: TrainingSet;
  /** Images of another set, for the validation loss. */
  readonly validation?: TrainingSet | undefined;
  /** What is trained, at the timesteps that are drawn. */
  readonly denoiser: Denoiser;
  /** What is validated, at all timesteps; default: the same. */
  readonly whole?: Denoiser | undefined;
  readonly scheduler: Scheduler;
  readonly objective: Objective;
  /** The trained tensors by checkpoint key. */
  readonly weights: ReadonlyMap<string, Tensor>;
  /** Tensors that the training must leave alone. */
  readonly frozen: ReadonlyMap<string, Tensor>;
  /** Batches of `batchSize * accumulation` rows. */
  readonly batches: Batches;
  readonly seed: number;
  readonly draw: Omit<DrawOptions, "trainTimesteps">;
}
