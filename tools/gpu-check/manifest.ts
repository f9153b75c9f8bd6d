// What the bundle says about itself.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Manifest {
  readonly version: string;
  readonly commit: string;
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
}

/** The manifest of the bundle in `root`; undefined in a checkout. */
export function readManifest(root: string): Manifest | undefined {
  const path = join(root, "manifest.json");
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Manifest) : undefined;
}

/** Files that are gone or not as they were packed: results of a changed bundle must be known as such. */
export function changedFiles(root: string, { files }: Manifest): string[] {
  return Object.entries(files).flatMap(([name, { sha256 }]) => {
    const path = join(root, name);
    if (!existsSync(path)) return [`${name} (missing)`];
    const own = createHash("sha256").update(readFileSync(path)).digest("hex");
    return own === sha256 ? [] : [name];
  });
}
