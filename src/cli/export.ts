// invdiff export: what a run has learnt, as other programs read it.
import { Option } from "@commander-js/extra-typings";
import { EXPORT_FORMS } from "../experiment/export/request.ts";
import { numberFrom } from "./config-options.ts";
import type { Program } from "./program.ts";
import { dtypeOf } from "./sample.ts";

export function addExport(program: Program): void {
  program
    .command("export")
    .description(
      "write the guided model of a run as a diffusers folder, LoRA weights or an InvDiff checkpoint",
    )
    .requiredOption(
      "--run <dir>",
      "folder of the experiment, or of one of its stages (base, guidance-oracle)",
    )
    .requiredOption("--to <dir>", "folder to make")
    .addOption(
      new Option(
        "--as <form>",
        "merged: diffusers folder; lora: adapters alone; invdiff: the published layout",
      )
        .choices(EXPORT_FORMS)
        .makeOptionMandatory(),
    )
    .option("--strength <s>", "strength of the guidance (default: as trained)", numberFrom(0, 1e6))
    .option("--dtype <type>", "store weights as float32, bfloat16 or float16 (default: as they are)", dtypeOf)
    .option("--force", "replace an earlier export")
    .addHelpText(
      "after",
      "\nIn Python: StableDiffusionPipeline.from_pretrained(DIR) loads merged, pipe.load_lora_weights(DIR) loads lora. Examples:\n" +
        "  invdiff export --run runs/mine --to fair-sd --as merged --dtype float16\n" +
        "  invdiff export --run runs/mine/base --to base-sd --as merged      the base without guidance",
    )
    .action(async (options) => {
      const { exportRun } = await import("../experiment/export/index.ts");
      const { path, notes } = await exportRun(options);
      for (const note of notes) console.error(`Note: ${note}.`);
      console.log(`Exported: ${path}`);
    });
}
