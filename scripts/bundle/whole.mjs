// Checks before packing that nothing is missing: every import of the bundle's own JavaScript leads somewhere in it.
import { builtinModules } from "node:module";
import { dirname, join } from "node:path/posix";
import { bytesOf } from "./entries.mjs";

const OWN = /^(dist|bench|tools|scripts|test)\/.*\.m?js$/;
const BUILT_IN = new Set(builtinModules);

const packageOf = (specifier) => specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");

function leads(specifier, from, names, packages) {
  if (specifier.startsWith(".")) return names.has(join(dirname(from), specifier));
  if (specifier.startsWith("node:") || BUILT_IN.has(specifier)) return true;
  return packages.has(packageOf(specifier));
}

/** "FILE: SPECIFIER" for every import without target; static, dynamic and re-exporting ones are seen. */
export async function missingImports(entries) {
  // Only here, so that a checkout without its packages is told so by the check of the packages.
  const { default: ts } = await import("typescript");
  const names = new Set(entries.map(({ name }) => name));
  const packages = new Set(
    [...names].flatMap((name) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(name)?.[1] ?? []),
  );
  return entries
    .filter(({ name }) => OWN.test(name))
    .flatMap((file) => {
      const imports = ts.preProcessFile(bytesOf(file).toString("utf8"), true, true).importedFiles;
      const specifiers = imports.map(({ fileName }) => fileName);
      return specifiers
        .filter((to) => !leads(to, file.name, names, packages))
        .map((to) => `${file.name}: ${to}`);
    });
}
