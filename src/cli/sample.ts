// invdiff sample: images of prompts from any model folder; without a prompt, the sampling stage of an experiment.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { SWITCH } from "../experiment/switch.ts";
import { SAMPLING_DTYPES, SAMPLING_SCHEDULERS, TIMESTEP_SPACINGS } from "../experiment/sampling/choices.ts";
import { collect, numberFrom, wholeNumber, withConfigOptions } from "./config-options.ts";
import type { Program } from "./program.ts";
import { runStageCommand } from "./stage-commands.ts";

type DType = (typeof SAMPLING_DTYPES)[number];
const SHORT_DTYPES: Readonly<Record<string, DType>> = {
  fp32: "float32",
  bf16: "bfloat16",
  fp16: "float16",
};

/** A dtype by its name or its short one, for commander. */
export function dtypeOf(text: string): DType {
  const found = SAMPLING_DTYPES.find((name) => name === text) ?? SHORT_DTYPES[text];
  if (found === undefined)
    throw new InvalidArgumentError(`Expected ${SAMPLING_DTYPES.join(", ")} (or fp32, bf16, fp16).`);
  return found;
}

const pixels = wholeNumber(1);
const number = numberFrom(-1e6, 1e6);

export function addSample(program: Program): void {
  withConfigOptions(
    program
      .command("sample")
      .description(
        "make images of prompts with a model folder; without a prompt, sample an experiment's models",
      )
      .requiredOption("--out <dir>", "folder for the images; what is there and valid is kept")
      .option("--model <dir>", "model folder in the diffusers layout")
      .option("--variant <name>", "variant of the weights, such as fp16")
      .option("--guidance <dir>", "guidance: a run or its stage, an InvDiff checkpoint, or LoRA weights")
      .option("--strength <s>", "strength of the guidance (default: as trained; 0 is the base)", number)
      .option("--prompt <text...>", "what to paint (several, or repeated)", collect)
      .option("--prompts <file>", "file with one prompt per line, or .jsonl")
      .option("--num <n>", "images per prompt", wholeNumber(1), 1)
      .option("--steps <n>", "denoising steps", wholeNumber(1), 50)
      .option("--guidance-scale <g>", "classifier-free guidance; 1 is none", number, 7.5)
      .option("--guidance-rescale <share>", "pull the guided spread back, 0 to 1", numberFrom(0, 1), 0)
      .addOption(
        new Option("--scheduler <name>", "sampler (default: the model folder's own)").choices(
          SAMPLING_SCHEDULERS,
        ),
      )
      .addOption(
        new Option(
          "--timestep-spacing <name>",
          "where the timesteps lie (default: the scheduler's own)",
        ).choices(TIMESTEP_SPACINGS),
      )
      .option("--negative-prompt <text>", "what not to paint", "")
      .option("--clip-skip <n>", "layers of the text encoder left out at its end", wholeNumber(0), 0)
      .option("--eta <eta>", "noise added by ddim, 0 to 1", numberFrom(0, 1), 0)
      .option("--height <pixels>", "height (default: the model's own)", pixels)
      .option("--width <pixels>", "width (default: the model's own)", pixels)
      .option("--dtype <type>", "float32, bfloat16 or float16", dtypeOf, "float32" as const)
      .option("--device <name>", "cpu, cuda or cuda:N", "cpu")
      .option("--no-tf32", "exact float32 products on a card")
      .option("--deterministic", "deterministic kernels alone on a card: the same bits every time, slower")
      .addOption(
        new Option("--graphs <when>", "record the U-Net's work once and repeat it (auto: on a card)")
          .choices(SWITCH)
          .default("auto" as const),
      )
      .addOption(
        new Option("--channels-last <when>", "keep feature maps with their channels last (auto: on a card)")
          .choices(SWITCH)
          .default("auto" as const),
      )
      .option("--batch-size <n>", "images denoised together; bounds the memory", wholeNumber(1), 1)
      .option("--vae-tiling", "decode large images in overlapping tiles: less memory, faint seams")
      .option(
        "--data <dir>",
        "experiment only: folder of images with captions, parquet files, or OWNER/NAME on the hub",
      )
      .option("--config <file>", "experiment only: YAML file with settings"),
  )
    .addHelpText(
      "after",
      "\nImage i has the seed --seed + i, so an image can be made again alone. Examples:\n" +
        '  invdiff sample --model sd --prompt "a photo of a doctor" --num 8 --out doctors\n' +
        "  invdiff sample --model sd --guidance runs/mine --prompts prompts.txt --scheduler dpmsolver++ --steps 25 --out guided\n" +
        "  invdiff sample --out runs/mine            the sampling stage of an experiment",
    )
    .action(async (options, command) => {
      const given = command.options
        .filter((option) => command.getOptionValueSource(option.attributeName()) === "cli")
        .map((option) => option.long ?? option.flags);
      const isStage = options.prompt === undefined && options.prompts === undefined;
      await refuseOthers(given, isStage ? "stage" : "images");
      if (isStage) {
        if (options.model !== undefined && options.data === undefined && options.config === undefined)
          await refuseWithoutPrompt(options.out);
        await runStageCommand("sample", options);
        return;
      }
      const { runSample } = await import("./run-sample.ts");
      await runSample(options);
    });
}

/** Options of the sampling stage alone; those in neither list belong to images of prompts. */
const STAGE_ONLY = ["--data", "--config", "--groups", "--set", "--print-config"];
const FOR_BOTH = ["--out", "--model", "--seed", "--force"];

/** Options of one kind of sampling are mistakes in the other, which would have to ignore them. */
async function refuseOthers(given: readonly string[], kind: "images" | "stage"): Promise<void> {
  const ofStage = (option: string) => STAGE_ONLY.includes(option);
  const found = given.filter((option) =>
    kind === "images" ? ofStage(option) : !ofStage(option) && !FOR_BOTH.includes(option),
  );
  if (found.length === 0) return;
  const { UserError } = await import("../experiment/index.ts");
  const options = found.join(", ");
  throw new UserError(
    kind === "images"
      ? `${options} belongs to the sampling stage of an experiment; with --prompt or --prompts there is none.`
      : `${options} needs --prompt or --prompts. The sampling stage of an experiment takes its settings from the run; ` +
          `change them with --set, such as --set samples.scheduler=euler.`,
  );
}

async function refuseWithoutPrompt(out: string): Promise<void> {
  const { EXPERIMENT_YAML, UserError } = await import("../experiment/index.ts");
  if (existsSync(join(out, EXPERIMENT_YAML))) return;
  throw new UserError("sample --model needs to know what to paint: give --prompt TEXT or --prompts FILE.");
}
