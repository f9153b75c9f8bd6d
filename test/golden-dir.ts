// Where the golden fixtures lie: GOLDEN_DIR (freshly made ones) or the project's own copy.
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Folder with the golden fixtures: `GOLDEN_DIR`, else `test/golden`. */
export function goldenDir(): string {
  return process.env["GOLDEN_DIR"] ?? fileURLToPath(new URL("golden", import.meta.url));
}

/** Path of one fixture, such as `golden("objective.json")`. */
export function golden(name: string): string {
  return join(goldenDir(), name);
}
