// JSON files read with errors that name the file.
import { readFileSync } from "node:fs";
import { CheckpointError } from "../torch/index.ts";

/** The parsed content of a JSON file. Throws CheckpointError when it is missing, unreadable or not JSON. */
export function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why =
      code === "ENOENT" ? "does not exist" : code === "EISDIR" ? "is a folder" : `cannot be read (${code})`;
    throw new CheckpointError(`${path} ${why}; expected a JSON file.`, { cause });
  }
  try {
    // Windows editors put a byte order mark in front, which JSON.parse refuses.
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (cause) {
    throw new CheckpointError(`${path} is not valid JSON: ${(cause as Error).message}.`, { cause });
  }
}

/** Like `readJson`, for files that must hold an object. */
export function readJsonObject(path: string): Record<string, unknown> {
  const value = readJson(path);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new CheckpointError(`${path} holds ${describe(value)}; expected a JSON object.`);
  return value as Record<string, unknown>;
}

const describe = (value: unknown) =>
  Array.isArray(value) ? "a list" : value === null ? "null" : `a ${typeof value}`;
