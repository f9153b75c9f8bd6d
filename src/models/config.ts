/** Reading config.json of diffusers and transformers: defaults filled in, every value checked, nothing silently ignored. */
import { ConfigError } from "../torch/index.ts";
import { type Kind, kindOf } from "./config-kinds.ts";

export interface ConfigRules<C extends object> {
  /** For messages: "UNet2DConditionModel". */
  readonly name: string;
  /** Every supported option with the library's default. */
  readonly defaults: C;
  /** What values must be, where the default does not show it. */
  readonly kinds?: Partial<Record<keyof C & string, Kind>>;
  /** Options that exist in the library and are supported only at these values. */
  readonly fixed: Readonly<Record<string, readonly unknown[]>>;
  /** Options that have no influence on results here. */
  readonly inert?: Readonly<Record<string, Kind>>;
  /** True for transformers, whose files hold many general options: unknown ones are left aside, null is the default. */
  readonly lenient?: boolean;
}

/**
 * Fills defaults in and checks every option. Keys that begin with "_" are the library's own notes.
 * @throws ConfigError naming every option that is unknown, of a wrong kind or not supported.
 */
export function readConfig<C extends object>(given: unknown, rules: ConfigRules<C>): C {
  const { name, defaults, lenient = false } = rules;
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new ConfigError(`${name} configuration: ${shown(given)} is not usable; expected an object`);
  const config: Record<string, unknown> = { ...(defaults as Record<string, unknown>) };
  const problems: string[] = [];
  for (const [key, value] of Object.entries(given)) {
    if (key.startsWith("_") || value === undefined || (lenient && value === null)) continue;
    const problem = problemOf(key, value, rules);
    if (problem !== undefined) problems.push(problem);
    else if (Object.hasOwn(config, key)) config[key] = value;
  }
  if (problems.length > 0) throw new ConfigError(`${name} configuration:\n  ${problems.join("\n  ")}`);
  return config as C;
}

function problemOf<C extends object>(key: string, value: unknown, rules: ConfigRules<C>): string | undefined {
  const { fixed, inert = {}, lenient = false } = rules;
  const defaults = rules.defaults as Readonly<Record<string, unknown>>;
  const kinds = (rules.kinds ?? {}) as Readonly<Record<string, Kind>>;
  const own = <T>(table: Readonly<Record<string, T>>) => (Object.hasOwn(table, key) ? table[key] : undefined);
  const kind = own(kinds) ?? (Object.hasOwn(defaults, key) ? kindOf(defaults[key]) : own(inert));
  if (kind !== undefined) {
    return kind.accepts(value)
      ? undefined
      : `${key}: ${shown(value)} is not usable; expected ${kind.expected}`;
  }
  const allowed = own(fixed)?.map(json);
  if (allowed === undefined) return lenient ? undefined : `${key}: unknown option (value ${shown(value)})`;
  if (allowed.includes(json(value))) return undefined;
  return `${key}: ${shown(value)} is not supported, only ${allowed.join(" or ")}`;
}

/** JSON where the value has one: callers may hand in anything. */
function json(value: unknown): string {
  try {
    return typeof value === "number" ? String(value) : (JSON.stringify(value) ?? typeof value);
  } catch {
    return `a value of type ${typeof value}`;
  }
}

/** A value for messages, cut where it is long. */
function shown(value: unknown): string {
  const full = json(value);
  return full.length <= 80 ? full : `${full.slice(0, 77)}...`;
}

/** A value for every level, from one value or a list of them. @throws ConfigError when the list's length is wrong. */
export function perLevel<T extends number | boolean>(
  option: string,
  value: T | readonly T[],
  levels: number,
): T[] {
  if (typeof value !== "object") return Array.from({ length: levels }, () => value);
  if (value.length !== levels) {
    throw new ConfigError(`${option}: ${levels} values needed, one per level, got [${value.join(", ")}]`);
  }
  return [...value];
}

interface LevelOptions {
  readonly block_out_channels: readonly number[];
  readonly down_block_types: readonly string[];
  readonly up_block_types: readonly string[];
  readonly norm_num_groups: number;
}

/** @throws ConfigError unless the lists fit each other and every channel count can be split into groups. */
export function checkLevels(config: LevelOptions): void {
  const { down_block_types: down, up_block_types: up, block_out_channels: channels } = config;
  if (down.length !== channels.length || up.length !== channels.length) {
    throw new ConfigError(
      `block_out_channels [${channels.join(", ")}], down_block_types (${down.length}) and up_block_types (${up.length}) must have the same length`,
    );
  }
  const groups = config.norm_num_groups;
  const uneven = channels.find((count) => count % groups !== 0);
  if (uneven === undefined) return;
  throw new ConfigError(
    `block_out_channels: ${uneven} channels cannot be split into ${groups} groups (norm_num_groups)`,
  );
}

/** @throws ConfigError unless `channels` can be split into `heads`. */
export function checkHeads(
  options: { channels: string; heads: string },
  channels: number,
  heads: number,
): void {
  if (channels % heads === 0) return;
  throw new ConfigError(
    `${options.channels}: ${channels} channels cannot be split into ${heads} heads (${options.heads})`,
  );
}

/** The i-th item; for indices that the configuration check has made safe. */
export function item<T>(list: readonly T[], index: number): T {
  const found = list.at(index);
  if (found === undefined) throw new ConfigError(`index ${index} is outside a list of ${list.length}`);
  return found;
}
