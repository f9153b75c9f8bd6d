// Fingerprints of the parts of a model, over exactly the files that loading reads: other variants beside them do not count.
import { existsSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { findWeights, readShardIndex } from "../../checkpoint/index.ts";
import { hashFile, hashFolder, hashJson } from "../hash.ts";

/** SHA-256 of each part by name: a component's folder with weights, any other folder, or a file. */
export async function hashParts(
  parts: Readonly<Record<string, string>>,
  variantIn: (folder: string) => string | undefined,
): Promise<Record<string, string>> {
  const entries = Object.entries(parts).map(
    async ([name, path]) => [name, await hashPart(path, variantIn(path))] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

async function hashPart(path: string, variant: string | undefined): Promise<string> {
  if (statSync(path).isFile()) return await hashFile(path);
  const config = join(path, "config.json");
  if (!existsSync(config)) return await hashFolder(path);
  const files = [config, ...weightFiles(path, variant)];
  const hashes = await Promise.all(
    files.map(async (file) => [basename(file), await hashFile(file)] as const),
  );
  return hashJson(Object.fromEntries(hashes));
}

/** The weights' file, or the index and the shards that it names. */
function weightFiles(folder: string, variant: string | undefined): string[] {
  const path = findWeights(folder, { variant });
  if (!path.endsWith(".json")) return [path];
  const { shards } = readShardIndex(path);
  return [path, ...shards.map((name) => join(dirname(path), name))];
}
