// The folder of an experiment: is it ours, and what lies in it besides the stages.
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomic } from "../torch/atomic-file.ts";
import { UserError } from "../torch/errors.ts";
import { configToYaml, type ExperimentConfig } from "./config.ts";

/** Marks a folder as an experiment's. */
const MARK = "experiment.json";
/** The whole configuration of the latest run. */
export const EXPERIMENT_YAML = "experiment.yaml";
const FORMAT = "invdiff-experiment";

/** Errors: UserError when `out` is a file, or a folder with content that no run of ours made. */
export function checkOut(out: string): void {
  const kind = statSync(out, { throwIfNoEntry: false });
  if (!kind) return;
  if (!kind.isDirectory())
    throw new UserError(`${out} is a file; expected a folder for the results, or a name that is free.`);
  const { names, some } = visibleNames(out);
  if (names.length === 0 || isMarked(out, MARK, FORMAT)) return;
  throw new UserError(
    `${out} exists and holds other files (${some}); it is not an experiment of ` +
      `invdiff, so nothing is written there. Choose another output folder.`,
  );
}

/** What lies in a folder, hidden files left out: all names, and the first ones as text for a message. */
export function visibleNames(folder: string): { names: string[]; some: string } {
  const names = readdirSync(folder).filter((name) => !name.startsWith("."));
  return { names, some: `${names.slice(0, 4).join(", ")}${names.length > 4 ? ", ..." : ""}` };
}

/** Whether a file in a folder marks it as being of a format. */
export function isMarked(folder: string, file: string, format: string): boolean {
  try {
    const mark = JSON.parse(readFileSync(join(folder, file), "utf8")) as { format?: unknown } | null;
    return mark?.format === format;
  } catch {
    return false;
  }
}

/** Makes the folder and its mark. */
export function openOut(out: string): void {
  try {
    mkdirSync(out, { recursive: true });
    if (!existsSync(join(out, MARK)))
      writeFileAtomic(join(out, MARK), `${JSON.stringify({ format: FORMAT, version: 1 })}\n`);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOSPC" || code === "EDQUOT") throw cause;
    throw new UserError(`${out} cannot be written: ${message}. Choose another output folder.`, { cause });
  }
}

export const writeExperimentYaml = (out: string, config: ExperimentConfig): void =>
  writeFileAtomic(join(out, EXPERIMENT_YAML), configToYaml(config));
