// The export `invdiff`: base and guidance as the reference publishes them, checkpoint-N with its options.
import { deltaRatio, type DeltaGuidance, type InvdiffArgs } from "../../checkpoint/index.ts";
import { saveInvdiffCheckpoint } from "../../models/index.ts";
import { UserError } from "../../torch/index.ts";
import { type ExperimentConfig, modelFolderOf } from "../config.ts";
import { atStrength, type GuidanceSettings } from "../stages/guidance-model.ts";
import { openBase, openNetwork } from "./networks.ts";
import type { Writer } from "./writer.ts";

/** Without guidance a checkpoint of the reference's stage 1. */
export const writeInvdiff: Writer = (dir, source, { dtype, strength }) => {
  const { config, guidance, baseSteps, absence } = source;
  using base = openBase(source);
  if (!guidance) {
    saveInvdiffCheckpoint(dir, { step: baseSteps, base }, { dtype });
    return absence === "" ? [] : [`${absence}: the base alone is exported`];
  }
  const settings = atStrength(guidance.settings, strength);
  const args = argsOf(config, settings);
  using delta = openNetwork(source, guidance);
  saveInvdiffCheckpoint(dir, { step: guidance.steps, base, delta, args }, { dtype });
  const { from = 0 } = settings;
  return from > 0
    ? [`the guidance was trained for timesteps from ${from} upwards; the reference applies it at all of them`]
    : [];
};

/** The reference's names for how the two networks make one prediction, and for what they were trained with. */
function argsOf(config: ExperimentConfig, settings: GuidanceSettings): InvdiffArgs {
  const small = /^small(\d)$/.exec(settings.module)?.[1];
  return {
    pretrained_model_name_or_path: modelFolderOf(config),
    delta_ratio: ratioOf(settings),
    delta_type: small !== undefined ? "small" : settings.module === "scratch" ? "scratch" : "pretrain",
    ...(small !== undefined && { delta_param: Number(small) }),
    delta_init0: settings.form !== "difference",
    eiil: 1,
    lambda_value: config.guidance.lambda,
    prediction_type: config.model.predictionType ?? null,
    resolution: config.data.resolution,
    seed: config.seed,
  };
}

function ratioOf(settings: GuidanceSettings): number {
  try {
    return deltaRatio(combinationOf(settings));
  } catch (cause) {
    const range = settings.form === "residual" ? "1 or more" : "from 0 to 1";
    throw new UserError(
      `${(cause as Error).message} Choose a strength that it can say: --strength, ${range} for the form ${settings.form}.`,
      { cause },
    );
  }
}

/** base + s (phi - base) = s phi + (1 - s) base: a difference is a blend of the base and the module's own prediction. */
function combinationOf({ form, strength, ratio }: GuidanceSettings): DeltaGuidance {
  switch (form) {
    case "difference":
      return { form: "blend", ratio: strength };
    case "residual":
      return { form, strength };
    case "blend":
      return { form, ratio };
  }
}
