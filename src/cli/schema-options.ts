// Options of the commands made from the schema: one for each key, with its bounds, default and description from there.
import { type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { parse } from "yaml";
import { z } from "zod";
import { unwrap } from "../experiment/config-kinds.ts";
import { shapeAt } from "../experiment/config-schema.ts";
import type { ConfigOverride } from "../experiment/index.ts";

/** Some keys of a section of the schema as options; `prefix` keeps names apart that two sections share. */
export interface SchemaSection {
  /** Name in the schema; "" is the top level. */
  readonly section: string;
  readonly heading: string;
  readonly prefix?: string;
  readonly only?: readonly string[];
  readonly except?: readonly string[];
}

interface SchemaOption {
  readonly option: Option;
  readonly path: readonly string[];
  readonly kind: Kind;
}

type Kind = "flag" | "text" | "texts" | "list" | "value";

const kebab = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function kindOf(schema: unknown): Kind {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodBoolean) return "flag";
  if (inner instanceof z.ZodString) return "text";
  if (inner instanceof z.ZodTuple) return "list";
  if (inner instanceof z.ZodUnion)
    return inner.options.some((o) => o instanceof z.ZodArray) ? "texts" : "value";
  if (!(inner instanceof z.ZodArray)) return "value";
  return unwrap(inner.element) instanceof z.ZodNumber ? "list" : "texts";
}

/** What stands behind the option's name in the help. */
function placeholder(schema: unknown, kind: Kind): string {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodEnum) return "<name>";
  return { flag: "", text: "<text>", texts: "<text...>", list: "<list>", value: "<n>" }[kind];
}

function describe(schema: z.ZodType, fallback: unknown): string {
  const inner = unwrap(schema);
  const choices = inner instanceof z.ZodEnum ? `: ${inner.options.join(", ")}` : "";
  const shown =
    fallback === undefined || fallback === false
      ? ""
      : fallback === true
        ? " (default: yes)"
        : ` (default: ${typeof fallback === "string" ? fallback : JSON.stringify(fallback)})`;
  return `${schema.description ?? ""}${choices}${shown}`;
}

function optionsOf({ section, heading, prefix = "", only, except = [] }: SchemaSection): SchemaOption[] {
  const path = section === "" ? [] : [section];
  return Object.entries(shapeAt(path) ?? {}).flatMap(([key, schema]) => {
    if (except.includes(key) || (only && !only.includes(key))) return [];
    const kind = kindOf(schema);
    const fallback: unknown = schema instanceof z.ZodDefault ? schema.def.defaultValue : undefined;
    const name = kebab(prefix === "" ? key : `${prefix}-${key}`);
    const flags =
      kind === "flag"
        ? `--${fallback === true ? "no-" : ""}${name}`
        : `--${name} ${placeholder(schema, kind)}`;
    const text = fallback === true ? `do not ${schema.description}` : describe(schema, fallback);
    const option = new Option(flags, text).helpGroup(`${heading}:`);
    return [{ option, path: [...path, key], kind }];
  });
}

/** Adds the options of the sections to a command. */
export function addSchemaOptions(command: CommandUnknownOpts, sections: readonly SchemaSection[]): void {
  for (const { option } of sections.flatMap(optionsOf)) command.addOption(option);
}

/**
 * What was given on the command line for the sections' keys, as overrides of the configuration. The schema checks the values.
 */
export function schemaOverrides(
  command: CommandUnknownOpts,
  sections: readonly SchemaSection[],
): ConfigOverride[] {
  const values: Readonly<Record<string, unknown>> = command.opts();
  return sections.flatMap(optionsOf).flatMap(({ option, path, kind }) => {
    const name = option.attributeName();
    if (command.getOptionValueSource(name) !== "cli") return [];
    const given = values[name];
    const label = option.long ?? option.flags;
    return [{ path, value: valueOf(given, kind), label }];
  });
}

function valueOf(given: unknown, kind: Kind): unknown {
  // An empty list has no other way onto a command line.
  if (Array.isArray(given)) return given.length === 1 && given[0] === "none" ? [] : given;
  if (kind === "text" || typeof given !== "string") return given;
  const text = kind === "list" && !given.trim().startsWith("[") ? `[${given}]` : given;
  try {
    return parse(text);
  } catch {
    // Not YAML: the schema says what it should be.
    return given;
  }
}
