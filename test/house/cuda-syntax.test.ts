// The bridge's CUDA part compiles where CUDA's headers are, although nothing here could run it: against this libtorch's
// headers, with and without the headers that Python's CUDA packages leave out.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileFlags, findCompiler } from "../../scripts/build-addon.mjs";
import { run } from "../../scripts/child.mjs";
import { type CudaParts, findCuda } from "../../scripts/cuda-headers.mjs";
import { locateLibtorch } from "../../scripts/locate-libtorch.mjs";
import { ROOT } from "./files.ts";

const libtorch = locateLibtorch();

/** CUDA of any version: it need not be this libtorch's for checking the grammar. */
function anyCuda(): CudaParts | undefined {
  try {
    return libtorch && findCuda({ ...libtorch, cuda: libtorch.cuda ?? "unknown" });
  } catch {
    return undefined;
  }
}

const cuda = anyCuda();
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "invdiff-cuda-"));
  // What only a CUDA build of libtorch writes.
  mkdirSync(join(folder, "c10/cuda/impl"), { recursive: true });
  writeFileSync(join(folder, "c10/cuda/impl/cuda_cmake_macros.h"), "#define C10_CUDA_BUILD_SHARED_LIBS\n");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The same headers without crt/, as CUDA 13's package of the runtime has them. */
function withoutDeviceCompiler({ folders }: CudaParts): string {
  const copy = mkdtempSync(join(folder, "runtime-"));
  for (const name of readdirSync(folders[0]!))
    if (name !== "crt") symlinkSync(join(folders[0]!, name), join(copy, name));
  return copy;
}

async function check(parts: CudaParts): Promise<string> {
  const flags = compileFlags(ROOT, libtorch!, parts);
  const args = ["-fsyntax-only", "-Werror", ...flags, "-isystem", folder, join(ROOT, "native/cuda.cc")];
  return (await run(findCompiler(), args)).output;
}

describe.skipIf(cuda === undefined)("native/cuda.cc (skipped without CUDA's headers)", () => {
  it("compiles with CUDA's headers, and with a runtime package's alone", async () => {
    const runtime = withoutDeviceCompiler(cuda!);
    expect(existsSync(join(runtime, "crt"))).toBe(false);
    const results = await Promise.all([check(cuda!), check({ ...cuda!, folders: [runtime] })]);
    expect(results).toEqual(["", ""]);
  }, 240_000);
});
