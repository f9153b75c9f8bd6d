// Step 4 of the set-up: src/ compiled into dist/ when a source changed.
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { run, tail, withTemporary } from "./child.mjs";
import { SetupError } from "./locate-libtorch.mjs";

/** Every file below `folder`, sorted, as absolute paths. */
export function listFiles(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** Hash of all that goes into dist/: sources without tests, compiler settings, the locked compiler and types. */
export function sourceHash(root) {
  const sources = listFiles(join(root, "src")).filter((path) => !path.endsWith(".test.ts"));
  const settings = ["tsconfig.json", "tsconfig.build.json", "package-lock.json"].map((name) =>
    join(root, name),
  );
  const hash = createHash("sha256");
  for (const path of [...sources, ...settings]) {
    hash.update(relative(root, path)).update("\0").update(readFileSync(path)).update("\0");
  }
  return hash.digest("hex");
}

/** True when dist/ was made from the sources as they are. */
export function isDistFresh(root, hash = sourceHash(root)) {
  const stamp = join(root, "dist", ".stamp");
  return existsSync(stamp) && readFileSync(stamp, "utf8") === hash;
}

/** Copies what the compiler leaves behind: pages, styles, data files. */
function copyOtherFiles(root, output) {
  const source = join(root, "src");
  for (const path of listFiles(source).filter((name) => !name.endsWith(".ts"))) {
    const target = join(output, relative(source, path));
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(path, target);
  }
}

/**
 * Compiles into a temporary sibling of dist/ and renames; nothing stale stays in dist/.
 * Types are not checked here (`npm run check` does that), which halves the time.
 */
export async function buildDist(root, note) {
  const hash = sourceHash(root);
  if (isDistFresh(root, hash)) return "dist up to date";
  note("compiling TypeScript into dist/");
  const dist = join(root, "dist");
  for (const name of readdirSync(root)) {
    if (name.startsWith("dist.tmp-")) rmSync(join(root, name), { recursive: true, force: true });
  }
  await withTemporary(`${dist}.tmp-${process.pid}`, async (temporary) => {
    const compiler = join(root, "node_modules/typescript/bin/tsc");
    const args = [compiler, "-p", "tsconfig.build.json", "--noCheck", "--outDir", temporary];
    const { code, output } = await run(process.execPath, args, { cwd: root });
    if (code !== 0) {
      throw new SetupError(`tsc -p tsconfig.build.json failed.\n${tail(output, 30)}`, { exitCode: 2 });
    }
    copyOtherFiles(root, temporary);
    writeFileSync(join(temporary, ".stamp"), hash);
    rmSync(dist, { recursive: true, force: true });
    renameSync(temporary, dist);
  });
  return "dist compiled";
}
