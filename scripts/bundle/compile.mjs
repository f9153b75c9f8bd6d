// src, bench/gpu and tools/gpu-check as JavaScript: src becomes dist/, as in the npm package; the others keep their places.
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import { listFiles } from "../build-dist.mjs";
import { run, tail, withTemporary } from "../child.mjs";
import { SetupError } from "../locate-libtorch.mjs";
import { entry, fileEntry } from "./entries.mjs";

const COMPILED = ["src", "bench/gpu", "tools/gpu-check"];

const inBundle = (name) => name.replace(/^src\//, "dist/");

/** `"../../src/torch/index.js"` becomes `"../../dist/torch/index.js"`: the only folder that has another name there. */
export const toDist = (code) => code.replaceAll(/(["'`](?:\.\.\/)+)src\//g, "$1dist/");

/** Compiles without checking types (`npm run check` does that) and returns the entries. */
export async function compiledEntries(root) {
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  return withTemporary(mkdtempSync(join(tmpdir(), "invdiff-bundle-")), async (folder) => {
    const args = [compiler, "-p", "scripts/bundle/tsconfig.bundle.json", "--noCheck", "--outDir", folder];
    const { code, output } = await run(process.execPath, args, { cwd: root });
    if (code !== 0)
      throw new SetupError(`tsc -p scripts/bundle/tsconfig.bundle.json failed.\n${tail(output, 30)}`, {
        exitCode: 2,
      });
    const compiled = listFiles(folder).map((path) => {
      const name = relative(folder, path).split(sep).join("/");
      const text = readFileSync(path, "utf8");
      return entry(inBundle(name), name.startsWith("src/") ? text : toDist(text));
    });
    return [...compiled, ...COMPILED.flatMap((part) => otherFiles(root, part))];
  });
}

/** What the compiler leaves behind: data, Python. The shell commands go to the bundle's root instead. */
function otherFiles(root, part) {
  const names = listFiles(join(root, part)).map((path) => relative(root, path).split(sep).join("/"));
  return names
    .filter((name) => !/\.(ts|sh)$|\/invdiff$|\.pyc$/.test(name))
    .map((name) => fileEntry(inBundle(name), join(root, name)));
}
