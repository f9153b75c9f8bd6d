// The hashes of picture files beside their features, so that a second evaluation does not read gigabytes to find that it
// has seen them: a file of the same size, time and inode is taken for the same.
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { writeFileAtomic } from "../../torch/index.ts";
import type { KnownHashes } from "../hash.ts";

const FILE = "files.json";

/** What is known; empty when there is no such file, or a broken one. */
export function readKnownFiles(folder: string): KnownHashes {
  const path = join(folder, FILE);
  if (!existsSync(path)) return new Map();
  try {
    const entries = Object.entries(JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>);
    return new Map(
      entries.flatMap(([file, entry]) => {
        const { stamp, hash } = (entry ?? {}) as { stamp?: unknown; hash?: unknown };
        const isKnown = typeof stamp === "string" && typeof hash === "string" && /^[0-9a-f]{64}$/.test(hash);
        return isKnown ? [[file, { stamp, hash }] as const] : [];
      }),
    );
  } catch {
    return new Map();
  }
}

/** Keeps what is known. Errors: the system's, such as a full disk. */
export function writeKnownFiles(folder: string, known: KnownHashes): void {
  mkdirSync(folder, { recursive: true });
  writeFileAtomic(join(folder, FILE), JSON.stringify(Object.fromEntries(known)));
}
