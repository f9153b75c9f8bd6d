// manifest.json of a checkpoint: size and SHA-256 of every other file, and of itself, so that any damage is found.
import { createHash } from "node:crypto";
import { closeSync, lstatSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { CheckpointError, writeFileAtomic } from "../../torch/index.ts";
import { lookAround, stepOfName } from "./names.ts";

export const MANIFEST = "manifest.json";
const FORMAT = "invdiff-checkpoint";
const VERSION = 1;
/** Bytes read at a time. */
const PIECE = 1 << 20;

export interface FileRecord {
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

export interface RunStateManifest {
  readonly step: number;
  readonly files: ReadonlyMap<string, FileRecord>;
}

/** Describes the files `names` of `dir` in its manifest. */
export function writeRunManifest(dir: string, step: number, names: readonly string[]): void {
  const files = new Map(names.map((name) => [name, recordOf(join(dir, name))]));
  writeFileAtomic(join(dir, MANIFEST), manifestText({ step, files }));
}

/**
 * Compares a checkpoint's folder with its manifest: names, sizes and, unless `hashes` is false, contents.
 * Throws CheckpointError with everything that is wrong and what to do.
 */
export function checkRunState(path: string, { hashes = true }: { hashes?: boolean } = {}): RunStateManifest {
  const manifest = readRunManifest(path);
  const names = readdirSync(path).filter((name) => name !== MANIFEST);
  const faults = [
    ...names.filter((name) => !manifest.files.has(name)).map((name) => `${name} does not belong to it`),
    ...[...manifest.files].flatMap(([name, record]) => faultOf(join(path, name), record, hashes) ?? []),
  ];
  const named = stepOfName(basename(resolve(path)));
  if (named !== undefined && named !== manifest.step)
    faults.push(`it is named for step ${named} and holds step ${manifest.step}`);
  if (faults.length > 0) refuse(path, faults.join("; "));
  return manifest;
}

function refuse(path: string, what: string, cause?: unknown): never {
  const others = lookAround(dirname(resolve(path))).places.filter(
    (place) => resolve(place.path) !== resolve(path),
  );
  const advice =
    others.length > 0
      ? `Resume from another one, such as ${others.at(-1)!.path}`
      : "There is no other one beside it: start anew";
  throw new CheckpointError(`Checkpoint ${path} is damaged: ${what}. ${advice}.`, { cause });
}

/** What is wrong with a file of the checkpoint, undefined when nothing is. */
function faultOf(path: string, { bytes, sha256 }: FileRecord, hashes: boolean): string | undefined {
  const name = basename(path);
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat) return `${name} is missing`;
  if (!stat.isFile()) return `${name} is not a regular file`;
  if (stat.size !== bytes) return `${name} has ${stat.size} bytes, expected ${bytes}`;
  if (!hashes) return undefined;
  try {
    const found = recordOf(path).sha256;
    return found === sha256
      ? undefined
      : `${name} has other content than was saved (SHA-256 ${found.slice(0, 8)}..., expected ${sha256.slice(0, 8)}...)`;
  } catch (error) {
    return `${name} cannot be read (${(error as NodeJS.ErrnoException).code})`;
  }
}

function recordOf(path: string): FileRecord {
  const hash = createHash("sha256");
  const piece = Buffer.alloc(PIECE);
  const fd = openSync(path, "r");
  try {
    let bytes = 0;
    for (let count = readSync(fd, piece); count > 0; count = readSync(fd, piece)) {
      hash.update(piece.subarray(0, count));
      bytes += count;
    }
    return { bytes, sha256: hash.digest("hex") };
  } finally {
    closeSync(fd);
  }
}

/** The one text that a manifest has: its last entry is the hash of all before it. */
function manifestText({ step, files }: RunStateManifest): string {
  const content = { format: FORMAT, version: VERSION, step, files: Object.fromEntries(files) };
  const sha256 = createHash("sha256").update(JSON.stringify(content)).digest("hex");
  return `${JSON.stringify({ ...content, sha256 }, null, 2)}\n`;
}

function readRunManifest(path: string): RunStateManifest {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat) throw new CheckpointError(`Checkpoint ${path} does not exist; ${expected(path)}.`);
  if (!stat.isDirectory() && !stat.isSymbolicLink())
    throw new CheckpointError(`Checkpoint ${path} is a file; ${expected(path)}.`);
  let text: string;
  try {
    text = readFileSync(join(path, MANIFEST), "utf8");
  } catch (cause) {
    const inside = lookAround(path).places.at(-1);
    if (inside)
      throw new CheckpointError(
        `${path} is a folder of checkpoints, not one of them; name one, such as ${inside.path}.`,
        { cause },
      );
    refuse(
      path,
      `${MANIFEST} is missing or cannot be read (${(cause as NodeJS.ErrnoException).code})`,
      cause,
    );
  }
  let manifest: RunStateManifest;
  try {
    const { step, version, files } = JSON.parse(text) as Record<string, unknown>;
    if (typeof version === "number" && version > VERSION)
      throw new CheckpointError(
        `Checkpoint ${path} has version ${version}; this program reads version ${VERSION}. Use the program that wrote it, or a newer one.`,
      );
    manifest = { step: step as number, files: new Map(Object.entries(files as Record<string, FileRecord>)) };
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause;
    refuse(path, `${MANIFEST} holds no manifest`, cause);
  }
  // The step and every name, size and hash are in the text that is compared: nothing in it needs a check of its own.
  if (manifestText(manifest) !== text) refuse(path, `${MANIFEST} has other content than was saved`);
  return manifest;
}

const expected = (path: string): string => {
  const beside = lookAround(dirname(resolve(path))).places.at(-1);
  return `expected a folder checkpoint-N that a training wrote${beside ? `, such as ${beside.path}` : ""}`;
};
