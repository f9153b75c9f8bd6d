// An experiment's configuration: checked against the schema, completed by defaults, written back as YAML.
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { ConfigError } from "../torch/errors.ts";
import { type ConfigFault, type ConfigPath, faultsOf } from "./config-errors.ts";
import { type ExperimentConfig, experimentSchema } from "./config-schema.ts";

export type { ExperimentConfig } from "./config-schema.ts";

/** Where a fault is, in words, such as "my.yaml:3:5"; "" when there is nothing to say. */
export type Locate = (path: ConfigPath, atKey: boolean) => string;

/**
 * Checks a plain value and fills in the defaults.
 * Errors: one ConfigError that lists every fault.
 */
export function parseConfig(raw: unknown, locate: Locate = () => ""): ExperimentConfig {
  const cleaned = withoutEmptySections(raw ?? {});
  const parsed = experimentSchema.safeParse(cleaned);
  if (!parsed.success) throw faultsError(faultsOf(parsed.error.issues, cleaned), locate);
  const config = withDataDefaults(parsed.data);
  const faults = crossFaults(config);
  if (faults.length > 0) throw faultsError(faults, locate);
  return config;
}

/** The configuration of `quickstart`: the defaults. */
export const defaultConfig = (): ExperimentConfig => parseConfig({});

/** The whole configuration as YAML, in the order of the schema; reading it gives the same configuration. */
export const configToYaml = (config: ExperimentConfig): string =>
  stringify(experimentSchema.parse(config), { lineWidth: 0 });

/** Folder of the model: the one given, or the small one that comes with this package. */
export const modelFolderOf = (config: ExperimentConfig): string =>
  config.model.path ?? fileURLToPath(new URL("../../assets/birds", import.meta.url));

/** Images that each model is asked for per prompt: as given, or the reference's 512, of the small drawn birds 256. */
export const imagesPerPrompt = ({ samples, data }: ExperimentConfig): number =>
  samples.perPrompt ?? (data.kind === "birds" ? 256 : 512);

/** The columns of the attributes that no caption names; the first one is the headline. */
export const hiddenColumns = ({ evaluation: { hiddenColumn } }: ExperimentConfig): string[] =>
  hiddenColumn === undefined ? [] : [hiddenColumn].flat();

/** Whether the U-Net starts from the model folder's weights or from random ones. */
export function resolveUnet(config: ExperimentConfig): "pretrained" | "scratch" {
  if (config.model.unet !== undefined) return config.model.unet;
  const folder = join(modelFolderOf(config), "unet");
  const files = existsSync(folder) ? readdirSync(folder) : [];
  return files.some((name) => /\.(safetensors|bin|pt|pth|ckpt)$/.test(name)) ? "pretrained" : "scratch";
}

/** Signal and solver to use; `undefined` where the groups are given. Method "reference" means the reference's own pair. */
export function resolveGroups(
  config: ExperimentConfig,
): Pick<ExperimentConfig["groups"], "signal" | "solver"> | undefined {
  const { method, signal, solver } = config.groups;
  if (method === "inferred") return { signal, solver };
  return method === "reference" ? { signal: "reference", solver: "spread" } : undefined;
}

/** A section whose lines are all commented out is `null` in YAML; it means the defaults. */
function withoutEmptySections(raw: unknown): unknown {
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return raw;
  const isEmptySection = ([key, value]: [string, unknown]) =>
    value === null && experimentSchema.shape[key as keyof typeof experimentSchema.shape]?.type === "prefault";
  return Object.fromEntries(Object.entries(raw).filter((entry) => !isEmptySection(entry)));
}

/** Birds know their columns; a user's folder has none until it names them. */
function withDataDefaults(config: ExperimentConfig): ExperimentConfig {
  if (config.data.kind !== "birds") return config;
  const hidden = config.data.poseBalance === undefined ? "place" : ["place", "pose"];
  const { subjectColumn = "subject", hiddenColumn = hidden } = config.evaluation;
  return { ...config, evaluation: { ...config.evaluation, subjectColumn, hiddenColumn } };
}

/** What images may lie in. */
const DATA = "a folder of images with captions, or of parquet files";

function crossFaults(config: ExperimentConfig): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const fault = (path: ConfigPath, text: string) => faults.push({ path, atKey: false, text });
  const { data, model, groups } = config;
  if (data.kind === "folder" && data.path === undefined)
    fault(["data", "kind"], `data.path is missing; expected ${DATA}, because data.kind is "folder".`);
  if (data.kind === "birds")
    for (const key of ["path", "validationPath", "captionColumn"] as const)
      if (data[key] !== undefined)
        fault(
          ["data", key],
          `data.${key} is for your own images, but data.kind is "birds"; set data.kind to "folder".`,
        );
  if (data.kind === "folder" && data.poseBalance !== undefined)
    fault(["data", "poseBalance"], 'data.poseBalance is for the drawn birds, but data.kind is "folder".');
  const existing = (
    path: ConfigPath,
    value: string | undefined,
    kind: "folder" | "file" | "data",
    what: string,
  ) => {
    if (value === undefined) return;
    const found = statSync(value, { throwIfNoEntry: false });
    if (kind === "file" ? found?.isFile() : found?.isDirectory()) return;
    if (kind === "data" && found?.isFile() && value.endsWith(".parquet")) return;
    const state = found ? `is not a ${kind === "data" ? "folder" : kind}` : "does not exist";
    fault(path, `${path.join(".")} is ${value}, which ${state}; expected ${what}.`);
  };
  if (data.kind === "folder") {
    existing(["data", "path"], data.path, "data", DATA);
    existing(["data", "validationPath"], data.validationPath, "data", DATA);
  }
  existing(["model", "path"], model.path, "folder", "a model folder in the diffusers layout");
  for (const [method, key, what] of [
    ["file", "file", "a file of soft groups"],
    ["column", "column", "the name of a column of the images' metadata"],
  ] as const)
    if (groups.method === method && groups[key] === undefined)
      fault(
        ["groups", "method"],
        `groups.${key} is missing; expected ${what}, because groups.method is "${method}".`,
      );
  if (groups.method === "file") {
    existing(["groups", "file"], groups.file, "file", "soft groups of ours or a published .pkl");
    existing(["groups", "index"], groups.index, "file", "the index2index.pkl of a published grouper");
  }
  if (config.base.skip && config.model.unet === "scratch")
    fault(["base", "skip"], "base.skip is true, but model.unet is scratch: there would be no trained base.");
  faults.push(...guidanceFaults(config));
  return faults;
}

/** The module of the configured guidance: adapters where they are possible, or else a full copy. */
export const resolveModule = ({ guidance: { form, module } }: ExperimentConfig) =>
  module ?? (form === "difference" ? "lora" : "copy");

/** Which modules go with which form. */
function guidanceFaults(config: ExperimentConfig): ConfigFault[] {
  const { form } = config.guidance;
  const module = resolveModule(config);
  const needs =
    form === "difference" && module !== "lora" && module !== "copy"
      ? "lora or copy, which start as the base, because guidance.form is difference"
      : form !== "difference" && module === "lora"
        ? `copy, scratch or small0 to small4, because guidance.form is ${form}`
        : undefined;
  if (needs === undefined) return [];
  const text = `guidance.module is ${module}; expected ${needs}.`;
  return [{ path: ["guidance", "module"], atKey: false, text }];
}

function faultsError(faults: readonly ConfigFault[], locate: Locate): ConfigError {
  const lines = faults.map(({ path, atKey, text }) => {
    const where = locate(path, atKey);
    return where === "" ? text : `${where}: ${text}`;
  });
  // In the order of the file.
  lines.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  return new ConfigError(lines.join("\n"));
}
