// The files of this project, for the tests that look at the source itself.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Root folder of the project. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Text of a file named relative to the root. */
export const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** Number of lines, as `wc -l` counts them. */
export const lineCount = (path: string): number => read(path).split("\n").length - 1;

/** Files below `folder` (relative to the root, sorted) whose names end in one of `endings`. */
export function filesIn(folder: string, endings: readonly string[]): string[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name}`)
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .filter((name) => !name.startsWith("test/golden/"))
    .sort();
}

/** Files that git tracks or would track; without git (an unpacked archive), those of the main folders. */
export function trackedFiles(): string[] {
  try {
    const options = { cwd: ROOT, encoding: "utf8" as const, maxBuffer: 1 << 26, stdio: "pipe" as const };
    const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "-z"], options).split("\0");
    return [...new Set(listed)].filter((name) => name !== "" && existsSync(join(ROOT, name)));
  } catch {
    const folders = ["src", "native", "test", "scripts", "tools", "bench", "docs", "assets"];
    return folders.flatMap((folder) => filesIn(folder, [".ts", ".mjs", ".cc", ".h", ".json", ".md"]));
  }
}

export const isGenerated = (path: string): boolean => path.includes(".generated.");
export const isTest = (path: string): boolean => path.endsWith(".test.ts");
