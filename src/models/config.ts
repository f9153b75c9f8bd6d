/** Reading config.json of diffusers and transformers: defaults filled in, nothing silently ignored. */
import { ConfigError } from "../torch/index.ts";

export interface ConfigRules<C extends object> {
  /** For messages: "UNet2DConditionModel". */
  readonly name: string;
  /** Every supported option with diffusers' default; values must have the default's kind unless `kinds` says more. */
  readonly defaults: C;
  /** Options that exist in diffusers and are supported only at these values. */
  readonly fixed: Readonly<Record<string, readonly unknown[]>>;
  /** Options that have no influence on results here. */
  readonly inert?: readonly string[];
}

/**
 * Fills defaults in and checks every option. Keys that begin with "_" are diffusers' own notes.
 * @throws ConfigError naming every option that is unknown or not supported.
 */
export function readConfig<C extends object>(
  given: Readonly<Record<string, unknown>>,
  rules: ConfigRules<C>,
): C {
  const { name, defaults, fixed, inert = [] } = rules;
  const problems: string[] = [];
  const known: Record<string, unknown> = { ...(defaults as Record<string, unknown>) };
  for (const [key, value] of Object.entries(given)) {
    if (key.startsWith("_") || inert.includes(key) || value === undefined) continue;
    if (Object.hasOwn(known, key)) known[key] = value;
    else if (!Object.hasOwn(fixed, key))
      problems.push(`${key}: unknown option (value ${JSON.stringify(value)})`);
    else if (!fixed[key]!.some((allowed) => allowed === value)) {
      const supported = fixed[key]!.map((allowed) => JSON.stringify(allowed)).join(" or ");
      problems.push(`${key}: ${JSON.stringify(value)} is not supported, only ${supported}`);
    }
  }
  if (problems.length > 0) throw new ConfigError(`${name} configuration:\n  ${problems.join("\n  ")}`);
  return known as C;
}

/** A number for every level, from one number or a list of them. @throws ConfigError when the list's length is wrong. */
export function perLevel(option: string, value: number | readonly number[], levels: number): number[] {
  if (typeof value === "number") return Array.from({ length: levels }, () => value);
  if (value.length !== levels) {
    throw new ConfigError(`${option}: ${levels} values needed, one per level, got [${value.join(", ")}]`);
  }
  return [...value];
}

/** The i-th item; for indices that the configuration check has made safe. */
export function item<T>(list: readonly T[], index: number): T {
  const found = list.at(index);
  if (found === undefined) throw new ConfigError(`index ${index} is outside a list of ${list.length}`);
  return found;
}
