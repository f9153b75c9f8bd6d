// Options that several commands share, and how they become a configuration.
import { type Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import type { ConfigOverride, ExperimentConfig, LoadConfigOptions } from "../experiment/index.ts";

export const collect = (value: string, previous: readonly string[] = []): string[] => [...previous, value];

/** A whole number of at least `min`, for commander. */
export const wholeNumber =
  (min = 0) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isSafeInteger(value) || value < min)
      throw new InvalidArgumentError(`Expected a whole number of at least ${min}.`);
    return value;
  };

/** A number from `min` to `max`, for commander. */
export const numberFrom =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === "" || !(value >= min && value <= max))
      throw new InvalidArgumentError(`Expected a number from ${min} to ${max}.`);
    return value;
  };

/** Adds --seed, --groups, --set, --force and --print-config. */
export const withConfigOptions = <A extends unknown[], O extends Record<string, unknown>>(
  command: Command<A, O>,
) =>
  command
    .option("--seed <n>", "seed of everything random", wholeNumber())
    .addOption(
      new Option("--groups <method>", "how the groups are found").choices([
        "inferred",
        "oracle",
        "reference",
        "file",
        "column",
      ] as const),
    )
    .option("--set <key=value>", "change a setting, such as guidance.steps=300 (repeatable)", collect)
    .option("--force", "replace results that were made with other settings")
    .option("--print-config", "print all settings as YAML and stop");

export interface ConfigOptionValues {
  seed?: number | undefined;
  groups?: string | undefined;
  set?: readonly string[] | undefined;
  data?: string | undefined;
  model?: string | undefined;
  /** Of options that the schema made. */
  overrides?: readonly ConfigOverride[];
}

/** The configuration of `file` (or the defaults) changed by the options; `--set` is applied last. */
export async function configFrom(
  file: string | undefined,
  options: ConfigOptionValues,
): Promise<ExperimentConfig> {
  const { asHubName, loadConfig, parseOverride } = await import("../experiment/index.ts");
  const overrides: ConfigOverride[] = [];
  const override = (path: string, value: unknown, label: string) => {
    if (value !== undefined) overrides.push({ path: path.split("."), value, label });
  };
  override("seed", options.seed, "--seed");
  override("groups.method", options.groups, "--groups");
  if (options.data !== undefined) override("data.kind", "folder", "--data");
  const named = (text: string | undefined, type: "dataset" | "model") => text && asHubName(text, type);
  override("data.path", named(options.data, "dataset"), "--data");
  override("model.path", named(options.model, "model"), "--model");
  overrides.push(...(options.overrides ?? []), ...(options.set ?? []).map((text) => parseOverride(text)));
  return loadConfig({ file, overrides: [...overrides, ...(await downloaded({ file, overrides }))] });
}

/** Folders in the place of the repositories that a configuration names; what is missing is downloaded. */
async function downloaded(options: LoadConfigOptions): Promise<ConfigOverride[]> {
  const { hubNames, hubOverrides } = await import("../experiment/index.ts");
  if (hubNames(options).length === 0) return [];
  const { session } = await import("./session.ts");
  let found: ConfigOverride[] = [];
  await session(async ({ signal, progress, note }) => {
    found = await hubOverrides(options, {
      ...{ signal, onNote: note },
      onProgress: ({ done, total, repo }) =>
        progress({ stage: "download", task: repo, done: done / MIB, total: total / MIB, unit: "MiB" }),
    });
  });
  return found;
}

const MIB = 2 ** 20;
