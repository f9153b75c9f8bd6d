// What an experiment's folder has to export: its settings, its base and, if there is one, its guidance.
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { parse } from "yaml";
import { UserError } from "../../torch/index.ts";
import type { ExperimentConfig } from "../config.ts";
import { loadConfig } from "../config-file.ts";
import { experimentSchema } from "../config-schema.ts";
import { type Manifest, readManifest } from "../manifest.ts";
import { EXPERIMENT_YAML } from "../out-folder.ts";
import { type GuidanceSettings, readGuidanceSettings } from "../stages/guidance-model.ts";

export interface ExportedGuidance {
  /** Folder of the stage. */
  readonly dir: string;
  readonly settings: GuidanceSettings;
  /** Steps that it was trained for. */
  readonly steps: number;
}

export interface ExportSource {
  /** Folder of the experiment. */
  readonly out: string;
  readonly config: ExperimentConfig;
  /** Folder of the base U-Net. */
  readonly base: string;
  /** Steps that the base was trained for. */
  readonly baseSteps: number;
  /** Undefined: only the base is there, or asked for. */
  readonly guidance: ExportedGuidance | undefined;
  /** Why there is no guidance; "" when it was not asked for, or is there. */
  readonly absence: string;
}

/** Errors: UserError saying what is missing and which command makes it; those of reading settings and manifests. */
export function openSource(run: string): ExportSource {
  const { out, stage } = placeOf(run);
  const config = readConfig(join(out, EXPERIMENT_YAML));
  const base = join(out, "base");
  const baseManifest = readManifest(base);
  if (!baseManifest)
    throw new UserError(
      `${out} holds no finished base; expected ${join(base, "manifest.json")}. Run first: invdiff finetune --out ${out}`,
    );
  const common = {
    out,
    config,
    base: join(base, "unet"),
    baseSteps: stepsOf(baseManifest, config.base.steps),
  };
  if (stage === "base") return { ...common, guidance: undefined, absence: "" };
  const dir = join(out, stage ?? "guidance");
  const manifest = readManifest(dir);
  if (!manifest) {
    if (stage !== undefined)
      throw new UserError(`${dir} is not finished: it has no manifest.json. Run its stage to the end first.`);
    const absence = `${out} holds no finished guidance (make it with: invdiff train --out ${out})`;
    return { ...common, guidance: undefined, absence };
  }
  if (manifest.result["trained"] === false)
    return {
      ...common,
      guidance: undefined,
      absence: `${dir} holds no guidance, because no under-represented group was found`,
    };
  const settings = readGuidanceSettings(dir);
  return {
    ...common,
    guidance: { dir, settings, steps: stepsOf(manifest, config.guidance.steps) },
    absence: "",
  };
}

/** The experiment's folder, and the stage if one of its folders was named. */
function placeOf(run: string): { out: string; stage: string | undefined } {
  if (existsSync(join(run, EXPERIMENT_YAML))) return { out: run, stage: undefined };
  const [parent, name] = [dirname(resolve(run)), basename(resolve(run))];
  if (existsSync(join(parent, EXPERIMENT_YAML)) && /^(base|guidance(-\w+)?)$/.test(name))
    return { out: parent, stage: name };
  const kind = statSync(run, { throwIfNoEntry: false });
  const state = !kind ? "does not exist" : kind.isDirectory() ? `holds no ${EXPERIMENT_YAML}` : "is a file";
  throw new UserError(
    `${run} ${state}; expected the folder of an experiment (the --out of finetune, train or run), or its base or guidance.`,
  );
}

/** The settings; unlike for a run, the images need not be there any more. */
function readConfig(file: string): ExperimentConfig {
  const { success, data } = experimentSchema.safeParse(parse(readFileSync(file, "utf8")));
  // Reading it as a run does tells the faults with their places.
  return success ? data : loadConfig({ file });
}

function stepsOf({ result }: Manifest, configured: number): number {
  const { steps } = result;
  return typeof steps === "number" && Number.isSafeInteger(steps) ? steps : configured;
}
