// What is wrong with a configuration, in words: where, what was given, what is expected.
import type { z } from "zod";
import { keysAt } from "./config-schema.ts";
import { suggest } from "./suggest.ts";

export type ConfigPath = readonly (string | number)[];

/** "data.train", "groups.timesteps[2]"; "the experiment" for the whole. */
export const pathText = (path: ConfigPath): string =>
  path.length === 0
    ? "the experiment"
    : path.map((part, i) => (typeof part === "number" ? `[${part}]` : i === 0 ? part : `.${part}`)).join("");

/** One fault: the place it belongs to (a key or a value) and the sentence. */
export interface ConfigFault {
  path: ConfigPath;
  /** True when the key itself is wrong, not its value. */
  atKey: boolean;
  text: string;
}

/** The value at `path`, or undefined. */
export function valueAt(root: unknown, path: ConfigPath): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

/** A value as the user may have written it, shortened. */
export function shown(value: unknown): string {
  if (value === undefined) return "missing";
  if (typeof value === "number" || typeof value === "boolean" || value === null) return String(value);
  const text = typeof value === "bigint" ? value.toString() : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** Unknown key `key` in the section at `path`. */
export function unknownKey(path: ConfigPath, key: string): ConfigFault {
  const known = keysAt(path) ?? [];
  const near = suggest(key, known);
  // A right key in a wrong section is the other common slip.
  const elsewhere = (keysAt([]) ?? []).filter((name) => name !== path[0] && keysAt([name])?.includes(key));
  const where = path.length === 0 ? "the top level" : `"${pathText(path)}"`;
  const hint =
    near !== undefined
      ? `Did you mean "${near}"?`
      : elsewhere.length > 0
        ? `Did you mean ${elsewhere.map((name) => `"${name}.${key}"`).join(" or ")}?`
        : `Its keys are: ${known.join(", ")}.`;
  return { path: [...path, key], atKey: true, text: `unknown key "${key}" in ${where}. ${hint}` };
}

/** The faults that zod found in `raw`. */
export function faultsOf(issues: readonly z.core.$ZodIssue[], raw: unknown): ConfigFault[] {
  return issues.flatMap((issue): ConfigFault[] => {
    const path = issue.path.map((part) => (typeof part === "number" ? part : String(part)));
    if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(path, key));
    const text = `${pathText(path)} is ${shown(valueAt(raw, path))}; expected ${issue.message}.`;
    return [{ path, atKey: false, text }];
  });
}
