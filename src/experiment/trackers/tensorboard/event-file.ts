// Event files of TensorBoard: records appended to events.out.tfevents.<time>.<host>.<pid>.
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { writeAll } from "../../../torch/atomic-file.ts";
import { event, fileVersion, sessionStart } from "./messages.ts";
import { record } from "./record.ts";

const NAME = /^events\.out\.tfevents\.(\d+)\./;

/** TensorBoard reads the files of a folder in the order of their names: a later one must sort after all earlier ones. */
function nextName(dir: string): string {
  const earlier = readdirSync(dir).map((name) => Number(NAME.exec(name)?.[1] ?? 0));
  const time = Math.max(Math.floor(Date.now() / 1000), ...earlier.map((seconds) => seconds + 1));
  const host = hostname().replaceAll(/[^\w-]/g, "-") || "host";
  return `events.out.tfevents.${String(time).padStart(10, "0")}.${host}.${process.pid}`;
}

export interface EventFile {
  readonly path: string;
  /** Appends one event. */
  write(step: number, fill: Parameters<typeof event>[2]): void;
  flush(): void;
  close(): void;
}

/**
 * A new file of a run that goes on after `resumeStep`: viewers drop what earlier files say about later steps.
 * Errors: the system's own (EACCES, ENOSPC, ...).
 */
export function openEventFile(dir: string, resumeStep: number): EventFile {
  mkdirSync(dir, { recursive: true });
  const path = join(dir, nextName(dir));
  const fd = openSync(path, "wx");
  const write: EventFile["write"] = (step, fill) =>
    writeAll(fd, record(event(Date.now() / 1000, step, fill)));
  write(0, fileVersion);
  write(resumeStep + 1, sessionStart);
  return { path, write, flush: () => fsyncSync(fd), close: () => closeSync(fd) };
}
