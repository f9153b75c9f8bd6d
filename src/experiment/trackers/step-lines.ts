// Files with one JSON object per line, each of a step: written in order, cut back to a checkpoint on resume.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync } from "node:fs";
import { writeAll, writeFileAtomic } from "../../torch/atomic-file.ts";

/** JSON has no such numbers; as texts they are at least not lost. */
const numberText = (value: number): string =>
  Number.isFinite(value) ? JSON.stringify(value) : JSON.stringify(String(value));

/** `{"step":1,"a":..,"b":..}`: names sorted, so that equal values are equal bytes. */
export function stepLine(step: number, values: ReadonlyMap<string, number>): string {
  const names = [...values.keys()].filter((name) => name !== "step").sort();
  const fields = names.map((name) => `,${JSON.stringify(name)}:${numberText(values.get(name)!)}`);
  return `{"step":${step}${fields.join("")}}\n`;
}

function stepOf(line: string): number | undefined {
  try {
    const { step } = JSON.parse(line) as { step?: unknown };
    return typeof step === "number" ? step : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Removes the lines of steps after `resumeStep`, all of them for 0, and what a crash left unfinished. The file is
 * replaced as a whole, and only when something has to go.
 */
export function cutStepLines(path: string, resumeStep: number): void {
  if (!existsSync(path)) return;
  const text = readFileSync(path, "utf8");
  const lines = text.split("\n");
  // What follows the last line end is "", or a line whose writing was cut off.
  lines.pop();
  const kept = lines.filter((line) => resumeStep > 0 && (stepOf(line) ?? Infinity) <= resumeStep);
  const cut = kept.map((line) => `${line}\n`).join("");
  if (cut !== text) writeFileAtomic(path, cut);
}

/** Appends records; values of one step are collected until the next step begins or `flush` is called. */
export interface StepLines {
  add(step: number, values: Readonly<Record<string, number>>): void;
  /** Writes the step at hand and waits until all of it is on the disk. Errors: the system's own (ENOSPC, ...). */
  flush(): void;
  close(): void;
}

/** Opens a file of step lines for a run that goes on after `resumeStep`. */
export function openStepLines(path: string, resumeStep: number): StepLines {
  cutStepLines(path, resumeStep);
  const fd = openSync(path, "a");
  const values = new Map<string, number>();
  let current: number | undefined;
  const write = (): void => {
    if (current === undefined) return;
    const line = stepLine(current, values);
    current = undefined;
    values.clear();
    writeAll(fd, Buffer.from(line));
  };
  const flush = (): void => {
    write();
    fsyncSync(fd);
  };
  return {
    add(step, given) {
      if (step !== current) write();
      current = step;
      for (const [name, value] of Object.entries(given)) values.set(name, value);
    },
    flush,
    close() {
      try {
        flush();
      } finally {
        closeSync(fd);
      }
    },
  };
}
