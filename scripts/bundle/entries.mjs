// What goes into the bundle: a list of entries { name, mode, data | source }, names with "/" and relative to its root.
import { existsSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { listFiles } from "../build-dist.mjs";
import { SetupError } from "../locate-libtorch.mjs";

/** An entry with its text or bytes at hand. */
export const entry = (name, data, mode = 0o644) => ({ name, mode, data: Buffer.from(data) });

/** An entry that is read from a file when it is needed. */
export const fileEntry = (name, source, mode = 0o644) => ({ name, mode, source });

/** The bytes of an entry. */
export const bytesOf = ({ data, source }) => data ?? readFileSync(source);

/** Files below `folder` of the project that `accept` takes, under the names that they have there. */
function folderEntries(root, folder, accept = () => true) {
  const files = listFiles(join(root, folder)).map((path) => [
    relative(root, path).split(sep).join("/"),
    path,
  ]);
  return files.filter(([name]) => accept(name)).map(([name, path]) => fileEntry(name, path));
}

// The merges of the published CLIP tokenizer are not ours to pass on.
const NOT_OURS = /^test\/golden\/(clip-tokenizer\/|tokens-clip\.json$)/;
const NOT_ON_A_HOST = /^scripts\/(bundle|bootstrap|build-dist|install-|setup-lock)/;

/** Files of the project that are taken as they are. */
export function projectEntries(root) {
  const single = ["LICENSE", "README.md", "CHANGELOG.md"].filter((name) => existsSync(join(root, name)));
  const found = [
    ...single.map((name) => fileEntry(name, join(root, name))),
    ...folderEntries(root, "native", (name) => !name.startsWith("native/simulated/")),
    ...folderEntries(root, "scripts", (name) => name.endsWith(".mjs") && !NOT_ON_A_HOST.test(name)),
    ...folderEntries(root, "assets"),
    ...folderEntries(root, "docs"),
    ...folderEntries(root, "test/golden", (name) => !NOT_OURS.test(name) && !name.endsWith(".py")),
    ...folderEntries(root, "tools/bench/gpu", (name) => name.endsWith(".py")),
  ];
  for (const folder of ["native", "scripts", "assets", "test/golden"])
    if (!found.some(({ name }) => name.startsWith(`${folder}/`)))
      throw new SetupError(`${join(root, folder)} is empty; the bundle needs it. Take a whole checkout.`);
  return found;
}

const KEPT_FIELDS = ["name", "version", "description", "license", "type", "engines", "bin", "exports"];

/** package.json without what only a checkout can do: the library finds its version and its parts there. */
export function packageEntry(root) {
  const all = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const kept = Object.fromEntries(KEPT_FIELDS.filter((key) => key in all).map((key) => [key, all[key]]));
  const text = JSON.stringify({ ...kept, private: true, dependencies: all.dependencies }, null, 2);
  return entry("package.json", `${text}\n`);
}

/** The commands at the root of the bundle. */
export const commandEntries = (root) =>
  ["gpu-check.sh", "invdiff"].map((name) => fileEntry(name, join(root, "tools/gpu-check", name), 0o755));
