// JSON as Python writes it: minus infinity, diffusers' default of `lambda_min_clipped`, is a bare word there.
import { existsSync, readFileSync, statSync } from "node:fs";
import { checkNesting, readJsonObject } from "../checkpoint/index.ts";
import { CheckpointError } from "../torch/index.ts";

const INFINITIES = new Map<unknown, number>([
  ["-Infinity", -Infinity],
  ["Infinity", Infinity],
]);

/** Like `readJsonObject`, and infinite values of the object are read as well. */
export function readPythonJsonObject(path: string): Record<string, unknown> {
  const text = existsSync(path) && statSync(path).isFile() ? readFileSync(path, "utf8") : "";
  const quoted = text.replaceAll(/(":\s*)(-?Infinity)(?=\s*[,}])/g, '$1"$2"');
  if (quoted === text) return readJsonObject(path);
  checkNesting(quoted, path);
  try {
    const unquote = (_: string, value: unknown): unknown => INFINITIES.get(value) ?? value;
    return JSON.parse(quoted, unquote) as Record<string, unknown>;
  } catch (cause) {
    throw new CheckpointError(`${path} is not valid JSON: ${(cause as Error).message}.`, { cause });
  }
}

/** The object as indented JSON text with a newline, infinite values as Python writes them. */
export function pythonJson(object: Readonly<Record<string, unknown>>): string {
  const quote = (_: string, value: unknown): unknown =>
    value === Infinity || value === -Infinity ? String(value) : value;
  const text = JSON.stringify(object, quote, 2);
  return text.replaceAll(/(": )"(-?Infinity)"/g, "$1$2") + "\n";
}
