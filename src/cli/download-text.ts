// What a download says before it starts, and how its progress is counted.
import type { RepoPlan } from "../hub/index.ts";
import { bytesText, freeDiskBytes } from "../experiment/disk-full.ts";
import type { Session } from "./session.ts";
import { numberText, table } from "./text.ts";

/** How much there is, how much of it is to be fetched, and where it goes. */
export function planText({ place, commit, files, totalBytes, missingBytes, root, path }: RepoPlan): string {
  const free = freeDiskBytes(root);
  const what = place.type === "dataset" ? "data set" : "model";
  const there = totalBytes - missingBytes;
  return [
    `${what} ${place.repo} at ${place.revision === commit ? "commit" : `${place.revision}, commit`} ${commit.slice(0, 12)}: ` +
      `${filesText(files.length)}, ${bytesText(totalBytes)}${there > 0 ? `, of them ${bytesText(there)} are there` : ""}`,
    `to fetch: ${bytesText(missingBytes)}${free === undefined ? "" : ` (${bytesText(free)} free)`} -> ${path}`,
  ].join("\n");
}

const STATES = { there: "there", blob: "there", part: "in part", missing: "" } as const;

/** A line for every file. */
export const filesTable = ({ files }: RepoPlan): string =>
  table(files.map(({ path, size, state }) => [bytesText(size).padStart(8), path, STATES[state]]));

export const filesText = (count: number): string => `${numberText(count)} ${count === 1 ? "file" : "files"}`;

interface Counted {
  readonly task?: string;
  readonly done: number;
  readonly total: number;
  readonly files?: number;
  readonly filesDone?: number;
}

/** Bytes as progress: in MB, small downloads in kB. */
export function byteProgress(progress: Session["progress"], name: string) {
  return ({ task = name, done, total, files = 1, filesDone = 0 }: Counted): void => {
    const [unit, bytes] = total < 10e6 ? ["kB", 1e3] : ["MB", 1e6];
    const values: Record<string, number> = files > 1 ? { "files done:": filesDone } : {};
    const whole = Math.ceil(total / bytes);
    progress({
      ...{ stage: "download", task, unit, values, total: whole },
      done: done < total ? Math.min(done / bytes, whole) : whole,
    });
  };
}
