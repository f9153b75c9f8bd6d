// Unpacks a zip into a folder that appears when it is whole. Nothing in the zip decides where a byte goes outside of it.
import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdir, open, readdir, rename, rm, rmdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import zlib from "node:zlib";
import yauzl, { type ZipFile } from "yauzl";
import { isAlive, temporaryName, writeFileAtomic } from "../../torch/atomic-file.ts";
import { checkRoom } from "../disk-room.ts";
import { DownloadError } from "../errors.ts";
import { inTurns } from "../in-turns.ts";
import { hashOf } from "../part-file.ts";
import { DEFAULT_LIMITS, type ZipLimits } from "./limits.ts";
import { readEntries, type ZipEntry } from "./read-entries.ts";

export interface ExtractOptions {
  readonly limits?: Partial<ZipLimits> | undefined;
  /** SHA-256 of the zip when it is known; else the zip is read once for it. */
  readonly sha256?: string | undefined;
  /** Replaces a folder that something else made. */
  readonly force?: boolean | undefined;
  /** Leaves out the top folder of the zip when it is the only one and has the name of the target folder. */
  readonly unwrap?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

export interface Extracted {
  readonly path: string;
  readonly files: number;
  readonly bytes: number;
  /** The folder was there, made from the same zip. */
  readonly kept: boolean;
}

/** Written last into the folder; says which zip it is from. */
export const EXTRACTED = ".invdiff-extracted.json";

/**
 * Unpacks `zip` into the new folder `to`. A folder made from the same zip is kept.
 * Throws DownloadError for a zip that is refused or broken (nothing of it stays), or a folder that something else made; the signal's reason.
 */
export async function extractZip(zip: string, to: string, options: ExtractOptions = {}): Promise<Extracted> {
  const { limits, force = false, signal } = options;
  // Since 20.15; an older Node.js has no such function.
  if (!("crc32" in zlib))
    throw new DownloadError("Unpacking zips needs Node.js 20.15 or newer; please update it.");
  if (!existsSync(zip)) throw new DownloadError(`${zip} does not exist; expected a zip file.`);
  const target = resolve(to);
  const sha256 = options.sha256 ?? (await hashOf(zip, undefined, signal));
  const before = readMarker(target);
  if (before?.sha256 === sha256) return { path: to, files: before.files, bytes: before.bytes, kept: true };
  if (existsSync(target) && !force && (await readdir(target).catch(() => [""])).length > 0)
    throw new DownloadError(
      `${to} exists and was not made from ${zip}. Choose another folder, or replace it with --force.`,
    );
  const temporary = temporaryName(target);
  await removeLeftovers(target);
  // A reader each: yauzl breaks when a stream is given up while another one of the same reader is at work.
  const readers = await Promise.all(Array.from({ length: AT_ONCE }, () => openZip(zip)));
  try {
    const entries = await readEntries(zip, readers[0]!, { ...DEFAULT_LIMITS, ...limits });
    const bytes = entries.reduce((sum, { size }) => sum + size, 0);
    checkRoom(dirname(target), bytes, zip);
    const placed = options.unwrap === true ? unwrapped(entries, basename(target)) : entries;
    await writeEntries(zip, readers, placed, { ...options, folder: temporary, total: bytes });
    const files = placed.filter(({ isFolder }) => !isFolder).length;
    writeFileAtomic(join(temporary, EXTRACTED), `${JSON.stringify({ sha256, files, bytes })}\n`);
    await putInPlace(temporary, target);
    return { path: to, files, bytes, kept: false };
  } catch (error) {
    throw zipError(error, zip, signal);
  } finally {
    for (const reader of readers) reader.close();
    await rm(temporary, { recursive: true, force: true });
  }
}

async function openZip(zip: string): Promise<ZipFile> {
  try {
    // Names stay bytes, so that this program judges them and not the library.
    return await yauzl.openPromise(zip, { decodeStrings: false, autoClose: false });
  } catch (cause) {
    throw zipError(cause, zip, undefined);
  }
}

/** The system's errors and the signal's reason stay as they are; all others are the zip's. */
function zipError(error: unknown, zip: string, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted === true) return signal.reason;
  if (error instanceof DownloadError || !(error instanceof Error)) return error;
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (/^E[A-Z]+$/.test(code)) return error;
  return new DownloadError(`${zip} is no zip file, or broken: ${error.message}. Download it again.`, {
    cause: error,
  });
}

interface WriteOptions extends ExtractOptions {
  readonly folder: string;
  readonly total: number;
}

/** Entries written at once: small files wait for the disk, not for the processor. */
const AT_ONCE = 8;

async function writeEntries(
  zip: string,
  readers: readonly ZipFile[],
  entries: readonly ZipEntry[],
  { folder, total, signal, onProgress }: WriteOptions,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const made = new Set([folder]);
  const free = [...readers];
  let done = 0;
  await inTurns(entries, { limit: readers.length, signal }, async ({ path, isFolder, entry }, stop) => {
    const place = join(folder, path);
    const parent = isFolder ? place : dirname(place);
    if (!made.has(parent)) await mkdir(parent, { recursive: true });
    made.add(parent);
    if (isFolder) return;
    // "wx": nothing is ever written over or through what is there already.
    const output = await open(place, "wx");
    const reader = free.pop()!; // As many as there are turns.
    let crc = 0;
    try {
      for await (const chunk of await reader.openReadStreamPromise(entry)) {
        stop.throwIfAborted();
        const bytes = chunk as Buffer;
        for (let at = 0; at < bytes.length;) at += (await output.write(bytes, at)).bytesWritten;
        crc = zlib.crc32(bytes, crc);
        done += bytes.length;
        onProgress?.({ done, total });
      }
    } finally {
      free.push(reader);
      await output.close();
    }
    if (crc !== entry.crc32)
      throw new DownloadError(
        `${zip} is damaged: the checksum of ${path} is wrong. Delete it and download it again.`,
      );
  });
}

/** The same entries without their one top folder, if that has the name given. */
function unwrapped(entries: readonly ZipEntry[], name: string): readonly ZipEntry[] {
  const top = `${name}/`;
  const isInside = ({ path, isFolder }: ZipEntry) => path.startsWith(top) || (isFolder && path === name);
  if (!entries.every(isInside)) return entries;
  return entries.flatMap((entry) =>
    entry.path === name ? [] : [{ ...entry, path: entry.path.slice(top.length) }],
  );
}

/** Renames; what was there goes only when the new folder is complete. */
async function putInPlace(temporary: string, target: string): Promise<void> {
  const folder = await open(temporary, "r");
  await folder.sync().finally(() => folder.close());
  if (!existsSync(target)) return await rename(temporary, target);
  const aside = `${target}.old-${process.pid}`;
  await rename(target, aside);
  await rename(temporary, target);
  await rm(aside, { recursive: true, force: true });
}

/** Unfinished folders of processes that are gone. */
async function removeLeftovers(target: string): Promise<void> {
  const parent = dirname(target);
  await mkdir(parent, { recursive: true });
  for (const name of await readdir(parent)) {
    const [, pid] = new RegExp(`^\\.tmp-(\\d+)$`).exec(name.replace(basename(target), "")) ?? [];
    const isOurs = name.startsWith(`${basename(target)}.tmp-`) && pid !== undefined;
    if (isOurs && (Number(pid) === process.pid || !isAlive(Number(pid))))
      await rm(join(parent, name), { recursive: true, force: true });
  }
  if (existsSync(target) && statSync(target).isDirectory()) await rmdir(target).catch(() => undefined); // Empty ones only.
}

function readMarker(folder: string): { sha256: string; files: number; bytes: number } | undefined {
  try {
    const marker = JSON.parse(readFileSync(join(folder, EXTRACTED), "utf8")) as Record<string, unknown>;
    const { sha256, files, bytes } = marker;
    if (typeof sha256 !== "string" || typeof files !== "number" || typeof bytes !== "number")
      return undefined;
    return { sha256, files, bytes };
  } catch {
    return undefined;
  }
}
