/**
 * What the caption files of a large folder said when they were read last, in the user's cache folder: opening a hundred
 * thousand small files takes seconds, asking for their times a fraction of one. A missing, damaged or old index costs time only.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { writeFileAtomic } from "../../torch/index.ts";
import type { Captions } from "./caption-files.ts";

/** Size and times of a file, as `statSync` gives them. */
export interface FileTimes {
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

export interface CaptionIndex {
  /** What the file said, if it is as it was. */
  find(file: string, times: FileTimes): Captions | undefined;
  add(file: string, times: FileTimes, captions: Captions): void;
  /** Writes what was found and added, if that differs from what was there; a folder that cannot be written is no matter. */
  save(): void;
}

type Entry = readonly [file: string, size: number, mtimeMs: number, ctimeMs: number, captions: Captions];

const FORMAT = 1;
/** A file changed again within the clock's grain looks the same; entries so fresh are not kept. */
const GRAIN_MS = 2000;

/** Folder of the user's cache: $INVDIFF_CACHE, or invdiff/ in $XDG_CACHE_HOME or ~/.cache. */
export const userCacheFolder = (env: NodeJS.ProcessEnv = process.env): string =>
  env["INVDIFF_CACHE"] || join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "invdiff");

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** The index file of a folder (absolute). */
export const indexFile = (folder: string): string =>
  join(userCacheFolder(), "index", `${sha256(folder).slice(0, 32)}.jsonl`);

/** Opens what is known of a folder's caption files. */
export function openCaptionIndex(folder: string): CaptionIndex {
  const path = indexFile(folder);
  const before = readEntries(path, folder);
  const now: Entry[] = [];
  let isNew = false;
  return {
    find(file, { size, mtimeMs, ctimeMs }) {
      const entry = before.get(file);
      if (!entry || entry[1] !== size || entry[2] !== mtimeMs || entry[3] !== ctimeMs) return undefined;
      now.push(entry);
      return entry[4];
    },
    add(file, { size, mtimeMs, ctimeMs }, captions) {
      isNew = true;
      if (Date.now() - Math.max(mtimeMs, ctimeMs) > GRAIN_MS)
        now.push([file, size, mtimeMs, ctimeMs, captions]);
    },
    save() {
      if (!isNew && now.length === before.size) return;
      const body = JSON.stringify(now);
      try {
        mkdirSync(dirname(path), { recursive: true });
        writeFileAtomic(path, `${JSON.stringify({ format: FORMAT, folder, sha256: sha256(body) })}\n${body}`);
      } catch {
        // No room or no right to write: the files are read again next time.
      }
    },
  };
}

function readEntries(path: string, folder: string): ReadonlyMap<string, Entry> {
  try {
    const text = readFileSync(path, "utf8");
    const cut = text.indexOf("\n");
    const head = JSON.parse(text.slice(0, cut)) as Partial<Record<string, unknown>> | null;
    const body = text.slice(cut + 1);
    // The sum vouches for the form too: nobody else writes it.
    if (head?.["format"] !== FORMAT || head["folder"] !== folder || head["sha256"] !== sha256(body))
      return new Map();
    return new Map((JSON.parse(body) as Entry[]).map((entry) => [entry[0], entry]));
  } catch {
    // Missing or damaged: as good as empty.
    return new Map();
  }
}
