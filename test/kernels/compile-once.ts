// Programs and libraries of the tests of the kernels: compiled once into build/kernels-on-cpu, again when a source changes.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findCompiler } from "../../scripts/build-addon.mjs";
import { run, withTemporary } from "../../scripts/child.mjs";
import { PROJECT_ROOT } from "../../scripts/locate-libtorch.mjs";
import { withLock } from "../../scripts/setup-lock.mjs";

const FOLDER = join(PROJECT_ROOT, "build/kernels-on-cpu");

const PARTS = ["common", "forward", "backward"] as const;

/** The kernels' text as NVRTC gets it, forward and backward in one. */
export function kernelText(): string {
  return PARTS.map((part) => {
    const file = readFileSync(join(PROJECT_ROOT, `native/kernels/group-norm-${part}.cu.h`), "utf8");
    const text = /^R"CUDA\(\n(.*)\)CUDA"\n$/s.exec(file)?.[1];
    if (text === undefined) throw new Error(`group-norm-${part}.cu.h is not one raw string`);
    return text;
  }).join("");
}

/** Every C++ file of the kernels and of these tests, by name and content. */
function sourcesHash(settings: readonly string[]): string {
  const hash = createHash("sha256").update(settings.join("\0"));
  for (const folder of ["native/kernels", "test/kernels"]) {
    const names = readdirSync(join(PROJECT_ROOT, folder)).filter((name) => /\.(cc|h)$/.test(name));
    for (const name of names.sort()) hash.update(name).update(readFileSync(join(PROJECT_ROOT, folder, name)));
  }
  return hash.digest("hex").slice(0, 16);
}

async function compile(args: readonly string[], output: string): Promise<void> {
  const { code, output: messages } = await run(findCompiler(), [...args, "-o", output]);
  if (code !== 0)
    throw new Error(`the kernels do not compile for the processor:\n${messages.slice(0, 4000)}`);
}

/** Compiles and links `sources` (relative to the root), `against` a version; gives the path of what came out. */
export async function compileOnce(
  name: string,
  sources: readonly string[],
  {
    flags,
    link = [],
    against = "",
  }: { flags: readonly string[]; link?: readonly string[]; against?: string },
): Promise<string> {
  const result = join(FOLDER, `${name}-${sourcesHash([against, ...sources, ...flags, ...link])}`);
  if (existsSync(result)) return result;
  mkdirSync(FOLDER, { recursive: true });
  await withLock(join(FOLDER, `${name}.lock`), () =>
    withTemporary(`${result}.tmp-${process.pid}`, async (temporary) => {
      if (existsSync(result)) return;
      mkdirSync(temporary);
      writeFileSync(join(temporary, "kernels.cu"), kernelText());
      const include = [temporary, join(PROJECT_ROOT, "native/kernels")].map((path) => `-I${path}`);
      const all = [...flags, "-Wno-unknown-pragmas", ...include];
      const objects = sources.map((_, i) => join(temporary, `${i}.o`));
      await Promise.all(
        sources.map((source, i) => compile([...all, "-c", join(PROJECT_ROOT, source)], objects[i]!)),
      );
      const linked = join(temporary, name);
      await compile([...objects, ...link], linked);
      renameSync(linked, result);
    }),
  );
  return result;
}
