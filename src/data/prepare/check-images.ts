/** Looks at every picture before anything is copied: is it there, can it be decoded, what are its bytes. */
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { DataError } from "../../torch/errors.ts";
import { decodeImage } from "../images.ts";
import { inParallel } from "../in-parallel.ts";
import type { SourceImage } from "./listing.ts";

/** Files read and decoded at once. */
const AT_ONCE = 8;
/** Images that an error message names. */
const NAMED = 10;

/** What is known of a picture that was looked at. */
export type Checked =
  | { readonly sha256: string; readonly bytes: number }
  /** Why it cannot be used. */
  | { readonly broken: string };

/** The images that are not there; every folder is listed once. */
export function missingImages(images: readonly SourceImage[]): SourceImage[] {
  const folders = new Map<string, ReadonlySet<string>>();
  const namesIn = (folder: string): ReadonlySet<string> => {
    let names = folders.get(folder);
    if (names === undefined) folders.set(folder, (names = listed(folder)));
    return names;
  };
  return images.filter(({ file }) => !namesIn(dirname(file)).has(basename(file)));
}

function listed(folder: string): Set<string> {
  try {
    return new Set(readdirSync(folder));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return new Set();
    throw new DataError(`${folder} cannot be read: ${message}.`, { cause });
  }
}

export interface CheckOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Decodes every picture as training will. Errors: the signal's reason. */
export async function checkImages(
  images: readonly SourceImage[],
  { signal, onProgress }: CheckOptions = {},
): Promise<Map<SourceImage, Checked>> {
  const found = new Map<SourceImage, Checked>();
  await inParallel(images.length, { limit: AT_ONCE, signal }, async (i) => {
    const image = images[i]!;
    found.set(image, await checkImage(image.file));
    onProgress?.(found.size, images.length);
  });
  return found;
}

async function checkImage(file: string): Promise<Checked> {
  try {
    const bytes = await readFile(file);
    if (bytes.length === 0) return { broken: "the file is empty" };
    await decodeImage(file, bytes);
    return { sha256: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.length };
  } catch (error) {
    const { cause, message } = error as Error;
    return { broken: (cause instanceof Error ? cause.message : message).split("\n", 1)[0]! };
  }
}

/** An error for images that are missing or broken: how many, the first by name, and what can be done. */
export function badImagesError(what: string, bad: readonly string[], total: number): DataError {
  const lines = bad.slice(0, NAMED).map((text) => `\n  ${text}`);
  const more = bad.length > NAMED ? `\n  ... and ${bad.length - NAMED} more` : "";
  return new DataError(
    `${bad.length} of ${total} images ${what}:${lines.join("")}${more}\n` +
      "Complete the download, or leave them out by --skip-broken.",
  );
}
