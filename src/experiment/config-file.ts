// Reads a configuration from YAML and the command line; faults name file, line and column, or the option.
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, isAbsolute, resolve } from "node:path";
import { type Document, isMap, isNode, isPair, LineCounter, parse, parseDocument } from "yaml";
import { ConfigError } from "../torch/errors.ts";
import { type ExperimentConfig, parseConfig } from "./config.ts";
import type { ConfigPath } from "./config-errors.ts";

/** A value from the command line that replaces what the file says. */
export interface ConfigOverride {
  path: readonly string[];
  value: unknown;
  /** The option as typed, for messages. */
  label: string;
}

export interface LoadConfigOptions {
  /** YAML file; without it the defaults. Paths in it are relative to its own folder. */
  file?: string | undefined;
  /** Applied in order; paths in them are relative to the working folder. */
  overrides?: readonly ConfigOverride[];
}

/** Keys that hold paths. */
const PATHS = [
  ["data", "path"],
  ["data", "validationPath"],
  ["data", "cacheFolder"],
  ["groups", "file"],
  ["groups", "index"],
  ["model", "path"],
  ["evaluation", "networks"],
  ["evaluation", "clip"],
  ["evaluation", "classifiers"],
] as const;

/** A repository on a Hugging Face server, not a path. */
const HUB = /^hf:\/\//;

/** Parses "guidance.steps=300"; the value has YAML syntax. Errors: ConfigError. */
export function parseOverride(text: string, option = "--set"): ConfigOverride {
  const equals = text.indexOf("=");
  const label = `${option} ${text}`;
  const path = text.slice(0, Math.max(0, equals)).trim().split(".");
  if (equals < 1 || path.some((part) => !/^\w+$/.test(part)))
    throw new ConfigError(`${label}: expected KEY=VALUE, such as ${option} guidance.steps=300.`);
  try {
    return { path, value: parse(text.slice(equals + 1), { stringKeys: true }) as unknown, label };
  } catch (cause) {
    const reason = (cause as Error).message.split("\n")[0];
    throw new ConfigError(`${label}: the value is not valid YAML (${reason}).`, { cause });
  }
}

/**
 * The configuration of a file (or the defaults) with the overrides applied.
 * Errors: ConfigError with one line per fault, each "file:line:column: what was given; what is expected".
 */
export function loadConfig({ file, overrides = [] }: LoadConfigOptions = {}): ExperimentConfig {
  const source = file === undefined ? undefined : readYaml(file);
  const raw = rawValues(source?.value, { file, overrides });
  return parseConfig(raw, (path, atKey) => {
    const last = overrides.findLast(
      ({ path: set }) => path.length > 0 && set.every((part, i) => i >= path.length || part === path[i]),
    );
    return last?.label ?? source?.locate(path, atKey) ?? "";
  });
}

/** What the file and the overrides say, not checked: the value at a path, such as data.path. Errors: ConfigError. */
export function rawValue({ file, overrides = [] }: LoadConfigOptions, path: readonly string[]): unknown {
  const raw = rawValues(file === undefined ? undefined : readYaml(file).value, { file, overrides });
  return path.reduce<unknown>(
    (value, key) => (value as Record<string, unknown> | null | undefined)?.[key],
    raw,
  );
}

function rawValues(value: unknown, { file, overrides = [] }: LoadConfigOptions): unknown {
  let raw: unknown = value ?? {};
  if (file !== undefined) absolutePaths(raw, dirname(resolve(file)));
  for (const override of overrides) raw = applyOverride(raw, override);
  absolutePaths(raw, process.cwd());
  return raw;
}

function readYaml(file: string): { value: unknown; locate: (path: ConfigPath, atKey: boolean) => string } {
  const kind = statSync(file, { throwIfNoEntry: false });
  if (!kind?.isFile())
    throw new ConfigError(
      `${file} ${kind ? "is not a file" : "does not exist"}; expected a YAML file that describes an experiment.`,
    );
  const text = readFileSync(file, "utf8");
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${Math.max(1, line)}:${Math.max(1, col)}`;
  };
  if (document.errors.length > 0)
    throw new ConfigError(
      document.errors.map((error) => `${place(error.pos[0])}: not valid YAML: ${error.message}`).join("\n"),
    );
  let value: unknown;
  try {
    value = document.toJS();
  } catch (cause) {
    throw new ConfigError(`${file}: not valid YAML: ${(cause as Error).message}.`, { cause });
  }
  return { value, locate: (path, atKey) => place(offsetOf(document, path, atKey)) };
}

/** Where the value (or the key) at `path` starts; that of the nearest parent when it is missing. */
function offsetOf(document: Document.Parsed, path: ConfigPath, atKey: boolean): number {
  for (let length = path.length; length > 0; length--) {
    const parent = document.getIn(path.slice(0, length - 1), true) ?? document.contents;
    const key = path[length - 1];
    const pair = isMap(parent)
      ? parent.items.find((item) => isPair(item) && keyText(item.key) === key)
      : undefined;
    const wantsKey = atKey && length === path.length;
    const node = wantsKey || !pair?.value ? pair?.key : document.getIn(path.slice(0, length), true);
    const found = node ?? (pair === undefined ? document.getIn(path.slice(0, length), true) : undefined);
    if (isNode(found) && found.range) return found.range[0];
  }
  return document.contents?.range[0] ?? 0;
}

const keyText = (key: unknown): unknown => (isNode(key) ? (key as { value?: unknown }).value : key);

/** `raw` with the value set; sections on the way are made. A parent that is no section is left to the schema to refuse. */
function applyOverride(raw: unknown, { path, value, label }: ConfigOverride): unknown {
  const [key = "", ...rest] = path;
  if (raw !== null && raw !== undefined && (typeof raw !== "object" || Array.isArray(raw)))
    throw new ConfigError(`${label}: there is no key "${key}" below a plain value.`);
  const section = { ...(raw as Record<string, unknown> | null | undefined) };
  section[key] = rest.length === 0 ? value : applyOverride(section[key], { path: rest, value, label });
  return section;
}

function absolutePaths(raw: unknown, folder: string): void {
  for (const [section, key] of PATHS) {
    const values = (raw as Record<string, Record<string, unknown> | undefined> | null)?.[section];
    const value = typeof values === "object" && values !== null ? values[key] : undefined;
    if (typeof value === "string") values![key] = absolute(value, folder);
    else if (Array.isArray(value))
      values![key] = value.map((item: unknown) => (typeof item === "string" ? absolute(item, folder) : item));
  }
}

/** The path as an absolute one; of "COLUMN=PATH" the part behind the sign. */
function absolute(value: string, folder: string): string {
  if (value === "" || HUB.test(value) || isAbsolute(value)) return value;
  const named = /^(\w+=)(.+)$/.exec(value);
  if (named && !existsSync(resolve(folder, value))) return `${named[1]}${resolve(folder, named[2]!)}`;
  return resolve(folder, value);
}
