// Prompts from a file: one per line, or one JSON object per line with a "prompt".
import { readFileSync } from "node:fs";
import { UserError } from "../../torch/errors.ts";

/**
 * Prompts of a text file (one per line; empty lines are left out) or of a .jsonl file (objects with the text "prompt",
 * or "text" as in metadata.jsonl). Errors: UserError naming file and line.
 */
export function readPrompts(path: string): string[] {
  let content: string;
  try {
    content = readFileSync(path, "utf8").replace(/^\uFEFF/, "");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "does not exist" : `cannot be read (${code})`;
    throw new UserError(`${path} ${why}; expected a file with one prompt per line.`, { cause });
  }
  const lines = content
    .split(/\r?\n/)
    .map((line, i) => ({ line: line.trim(), number: i + 1 }))
    .filter(({ line }) => line !== "");
  const prompts = /\.jsonl?$/.test(path)
    ? lines.map(({ line, number }) => promptOf(line, `${path}, line ${number}`))
    : lines.map(({ line }) => line);
  if (prompts.length === 0) throw new UserError(`${path} holds no prompts; expected one per line.`);
  return prompts;
}

function promptOf(line: string, where: string): string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new UserError(`${where} is not valid JSON: ${(cause as Error).message}.`, { cause });
  }
  const { prompt, text } = (value ?? {}) as { prompt?: unknown; text?: unknown };
  const found = typeof value === "string" ? value : (prompt ?? text);
  if (typeof found !== "string")
    throw new UserError(`${where} has no prompt; expected an object such as {"prompt": "a photo of a man"}.`);
  return found;
}
