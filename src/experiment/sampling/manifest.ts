// manifest.jsonl: one line per image, written before its PNG appears, so that no image of ours is without its line.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeAll, writeFileAtomic } from "../../torch/atomic-file.ts";
import { UserError } from "../../torch/errors.ts";
import type { ImageSettings } from "./plan.ts";

export const IMAGE_MANIFEST = "manifest.jsonl";

/** What an image was made from. */
export interface ImageSource {
  readonly prompt: string;
  readonly seed: number;
  readonly settings: ImageSettings;
  /** Fingerprint of the files that were loaded. */
  readonly modelHash: string;
  readonly guidanceHash?: string | undefined;
}

export interface ImageRecord extends ImageSource {
  readonly file: string;
  readonly index: number;
  /** Folders as they were given. */
  readonly model: string;
  readonly guidance?: string | undefined;
  /** SHA-256 of the PNG file. */
  readonly sha256: string;
  /** Version of this package. */
  readonly invdiff: string;
}

/**
 * The records of an output folder by file; of several for one file the last counts. A last line that a crash cut off is
 * left out. Errors: UserError naming the line that is none of ours.
 */
export function readRecords(out: string): Map<string, ImageRecord> {
  const path = join(out, IMAGE_MANIFEST);
  const records = new Map<string, ImageRecord>();
  if (!existsSync(path)) return records;
  const lines = readFileSync(path, "utf8").split("\n");
  lines.forEach((line, i) => {
    const record = parseRecord(line);
    if (record !== undefined) records.set(record.file, record);
    else if (line.trim() !== "" && i < lines.length - 1)
      throw new UserError(
        `${path}, line ${i + 1} is no record of an image, so nothing is written there. ` +
          `Choose another --out, or mend the file.`,
      );
  });
  return records;
}

function parseRecord(line: string): ImageRecord | undefined {
  try {
    const value = JSON.parse(line) as Partial<ImageRecord> | null;
    const isRecord =
      typeof value?.file === "string" && typeof value.sha256 === "string" && typeof value.index === "number";
    return isRecord ? (value as ImageRecord) : undefined;
  } catch {
    return undefined;
  }
}

const lineOf = (record: ImageRecord): string => `${JSON.stringify(record)}\n`;

/** Adds records to the folder's manifest; they are on the disk when this returns. */
export function appendRecords(out: string, records: readonly ImageRecord[]): void {
  const fd = openSync(join(out, IMAGE_MANIFEST), "a");
  try {
    writeAll(fd, Buffer.from(records.map(lineOf).join("")));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Rewrites the manifest with one line per image, in the order of the images. */
export function rewriteRecords(out: string, records: ReadonlyMap<string, ImageRecord>): void {
  const sorted = [...records.values()].sort((a, b) => a.index - b.index || (a.file < b.file ? -1 : 1));
  writeFileAtomic(join(out, IMAGE_MANIFEST), sorted.map(lineOf).join(""));
}
