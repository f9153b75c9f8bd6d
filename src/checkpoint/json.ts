// JSON files read with errors that name the file.
import { readFileSync } from "node:fs";
import { CheckpointError } from "../torch/index.ts";
import { duplicateKey } from "./json-duplicates.ts";

export interface JsonOptions {
  /** Refuse objects that hold a key twice; JSON itself takes the last one silently. Default false. */
  readonly uniqueKeys?: boolean;
  /** Read infinite values of an object as Python writes them: bare words, which are no JSON. Default false. */
  readonly infinities?: boolean;
}

const INFINITIES = new Map<unknown, number>([
  ["-Infinity", -Infinity],
  ["Infinity", Infinity],
]);

/** The parsed content of a JSON file. Throws CheckpointError when it is missing, unreadable or not JSON. */
export function readJson(path: string, options: JsonOptions = {}): unknown {
  const { uniqueKeys = false, infinities = false } = options;
  const text = readText(path);
  checkNesting(text, path);
  const quoted = infinities ? text.replaceAll(/(":\s*)(-?Infinity)(?=\s*[,}])/g, '$1"$2"') : text;
  let value: unknown;
  try {
    const unquote = (_: string, item: unknown): unknown => INFINITIES.get(item) ?? item;
    value = quoted === text ? JSON.parse(text) : JSON.parse(quoted, unquote);
  } catch (cause) {
    throw new CheckpointError(`${path} is not valid JSON: ${(cause as Error).message}.`, { cause });
  }
  const twice = uniqueKeys ? duplicateKey(text) : undefined;
  if (twice !== undefined) throw new CheckpointError(`${path} holds the key "${twice}" twice.`);
  return value;
}

/** Like `readJson`, for files that must hold an object. */
export function readJsonObject(path: string, options: JsonOptions = {}): Record<string, unknown> {
  const value = readJson(path, options);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new CheckpointError(`${path} holds ${describe(value)}; expected a JSON object.`);
  return value as Record<string, unknown>;
}

/** No configuration nests deeper; messages that quote a value, and other recursive code, would overflow the stack. */
const MAX_NESTING = 100;

/** Throws CheckpointError for a JSON text with brackets in brackets beyond any use; strings do not count. */
function checkNesting(text: string, path: string): void {
  let depth = 0;
  let isString = false;
  for (let i = 0; i < text.length; i++) {
    const sign = text.charCodeAt(i);
    if (isString) {
      if (sign === 0x5c) i++;
      else if (sign === 0x22) isString = false;
    } else if (sign === 0x22) isString = true;
    else if (sign === 0x5b || sign === 0x7b) {
      if (++depth > MAX_NESTING)
        throw new CheckpointError(
          `${path} nests deeper than ${MAX_NESTING} levels, which no configuration does.`,
        );
    } else if (sign === 0x5d || sign === 0x7d) depth--;
  }
}

function readText(path: string): string {
  try {
    // Windows editors put a byte order mark in front, which JSON.parse refuses.
    return readFileSync(path, "utf8").replace(/^\uFEFF/, "");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why =
      code === "ENOENT" ? "does not exist" : code === "EISDIR" ? "is a folder" : `cannot be read (${code})`;
    throw new CheckpointError(`${path} ${why}; expected a JSON file.`, { cause });
  }
}

const describe = (value: unknown) =>
  Array.isArray(value) ? "a list" : value === null ? "null" : `a ${typeof value}`;
