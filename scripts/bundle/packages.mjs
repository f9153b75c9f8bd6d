// The production packages of package-lock.json for Linux x86-64 with glibc, as installed, without what only people or
// other platforms read.
import { existsSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { listFiles } from "../build-dist.mjs";
import { SetupError } from "../locate-libtorch.mjs";
import { fileEntry } from "./entries.mjs";

const TARGET = { os: "linux", cpu: "x64", libc: "glibc" };

/** True when a locked package is one of another platform. */
const isForeign = (locked) =>
  Object.entries(TARGET).some(([key, value]) => locked[key] !== undefined && !locked[key].includes(value));

/**
 * Name, version, licence and folder of every package that must be in the bundle, sorted by name.
 * Errors: SetupError when one is not installed in the version of the lock.
 */
export function productionPackages(root) {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const wanted = Object.entries(packages).filter(
    ([path, locked]) => path !== "" && !locked.dev && !isForeign(locked),
  );
  return wanted.flatMap(([path, locked]) => {
    const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
    const record = join(root, path, "package.json");
    // Optional packages without a platform are stand-ins (WebAssembly) that npm leaves out here.
    if (!existsSync(record) && locked.optional && locked.os === undefined) return [];
    const installed = existsSync(record) ? JSON.parse(readFileSync(record, "utf8")) : undefined;
    if (installed?.version !== locked.version)
      throw new SetupError(
        `${path} is ${installed === undefined ? "not installed" : `version ${installed.version}`}; ` +
          `package-lock.json says ${locked.version}. Run \`npm ci --ignore-scripts\` and start again.`,
      );
    return [
      { name, path, version: locked.version, license: locked.license ?? installed.license ?? "unknown" },
    ];
  });
}

const LICENCE = /^(licen[cs]e|copying|notice)/i;
const FOR_PEOPLE = /\.(map|md|ts|mts|cts|flow|cc|markdown)$|^(test|tests|docs|\.github)\//;

/** What else Node.js never loads: builds for browsers and for `require`, sources, themes. */
const LEFT_OUT = {
  "@bufbuild/protobuf": /^dist\/cjs\//,
  "@huggingface/blake3-jit": /^(src|dist\/commonjs)\//,
  "@huggingface/hub": /^(src|dist\/(browser|src))\/|^dist\/(cli\.|index\.js$)/,
  "@huggingface/tasks": /^(src|dist\/commonjs)\//,
  "@huggingface/tokenizers": /\.min\.|\.cjs$/,
  "@huggingface/xetchunk-wasm": /^(src|dist\/commonjs)\//,
  "csv-parse": /^dist\//,
  echarts: /^(asset|build|dist|extension|i18n|ssr|theme|types)\//,
  "node-api-headers": /^(def|symbols)|\.py$/,
  sharp: /^(src|install)\//,
  yaml: /^browser\//,
  zod: /^src\/|\.cjs$/,
  zrender: /^(build|dist|src)\//,
};

/** README files that carry the licences of what is inside. */
const LICENCE_IN_README = new Set(["@img/sharp-libvips-linux-x64", "@bufbuild/protobuf", "gearhash-jit"]);

/** True when a file of a package, named relative to it, is needed at run time or by its licence. */
export function isNeeded(name, file) {
  const base = file.slice(file.lastIndexOf("/") + 1);
  if (LICENCE.test(base) || (base === "README.md" && LICENCE_IN_README.has(name))) return true;
  return !FOR_PEOPLE.test(file) && LEFT_OUT[name]?.test(file) !== true;
}

/** The files of the packages. */
export function packageEntries(root, packages) {
  return packages.flatMap(({ name, path }) => {
    const folder = join(root, path);
    const files = listFiles(folder).map((file) => relative(folder, file).split(sep).join("/"));
    const own = files.filter((file) => !file.startsWith("node_modules/") && isNeeded(name, file));
    return own.map((file) => fileEntry(`${path}/${file}`, join(folder, file)));
  });
}
