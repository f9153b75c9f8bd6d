// The images that a stage trains on or is validated with, opened from what stage "latents" left.
import { join } from "node:path";
import type { TrainingSet } from "../../data/index.ts";
import type { TrainingConfig } from "../config-schema.ts";
import type { StageContext } from "../stage.ts";
import { validationFolder } from "./folders.ts";
import { openFolderSet, openLatentsStage } from "./latents.ts";

/** The training images of a stage that needs "latents"; what the cache lacks is encoded first. */
export const openStageSet = (context: StageContext): Promise<TrainingSet> =>
  openLatentsStage(context.input("latents"), context.config, context);

/** Images of the validation folder, if the training asks for validations and there is such a folder. */
export async function openValidationSet(
  context: StageContext,
  { validateEvery }: TrainingConfig,
): Promise<TrainingSet | undefined> {
  if (validateEvery === 0) return undefined;
  // Not a need of the stage: what it shows does not enter its result.
  const folder = validationFolder({ ...context, input: (stage) => join(context.out, stage) });
  return folder && (await openFolderSet(folder, context.config, context));
}
