// Files in the layout of the original implementations (CompVis, Stability AI), whose keys diffusers' models do not have.
import { CheckpointError } from "../torch/index.ts";

const CONVERT =
  "Convert it once in Python: StableDiffusionPipeline.from_single_file(PATH).save_pretrained(FOLDER), then use the folder.";

/** A key that marks each layout. */
const MARKS: readonly (readonly [RegExp, string])[] = [
  [/^model\.diffusion_model\./, "a whole checkpoint (U-Net, autoencoder and text encoder in one file)"],
  [/^(first_stage_model|cond_stage_model|conditioner)\./, "a whole checkpoint without its U-Net"],
  [/^(input_blocks|output_blocks|middle_block)\.\d/, "a U-Net"],
  [/^(encoder\.down|decoder\.up)\.\d+\.block\./, "an autoencoder"],
];

/** Throws CheckpointError saying how to convert, when these are the keys of an original layout. */
export function refuseOriginalLayout(keys: Iterable<string>): void {
  const all = [...keys];
  for (const [mark, what] of MARKS) {
    const key = all.find((name) => mark.test(name));
    if (key === undefined) continue;
    throw new CheckpointError(
      `this is ${what} in the layout of the original implementation (it holds ${key}), not in that of diffusers. ${CONVERT}`,
    );
  }
}
