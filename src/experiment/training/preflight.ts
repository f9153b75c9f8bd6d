// What a training is going to do and need, told before it starts.
import type { UNet2DConditionModel } from "../../models/index.ts";
import type { StageContext } from "../stage.ts";
import type { GuidanceSettings } from "../stages/guidance-model.ts";
import type { TrainingJob } from "./job.ts";

/** The network that is trained, or around which the guidance is. */
export interface TrainedModel {
  readonly stage: string;
  readonly unet: UNet2DConditionModel;
  /** Of the guidance. */
  readonly settings?: GuidanceSettings;
}

export interface Preflight {
  readonly text: string;
  readonly models: Readonly<Record<string, { readonly total: number; readonly trainable: number }>>;
}

export function preflightOf(_: StageContext, job: TrainingJob, { unet }: TrainedModel): Preflight {
  const trainable = [...job.weights.values()].reduce((sum, { numel }) => sum + numel, 0);
  return {
    text: `${trainable} trainable parameters`,
    models: { unet: { total: unet.parameterCount(), trainable } },
  };
}
