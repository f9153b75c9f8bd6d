// The addon, built against the torch that was found.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { buildAddon, cudaOf, findCompiler, recordSetup } from "../../scripts/build-addon.mjs";
import { type Libtorch, SetupError } from "../../scripts/locate-libtorch.mjs";
import { firstLine } from "./host.ts";

export interface BuiltAddon {
  readonly compiler: string;
  readonly compiled: number;
  readonly seconds: number;
}

/** The compiler by name and version. Errors: SetupError when there is none or it is too old for C++20. */
export function compilerOf(env: NodeJS.ProcessEnv = process.env): string {
  const name = findCompiler(env);
  const version = firstLine(name, ["--version"]) ?? "unknown version";
  const args = ["-std=c++20", "-fsyntax-only", "-x", "c++", "-"];
  const { status } = spawnSync(name, args, {
    input: "#include <concepts>\n#include <span>\nint main() {}\n",
  });
  if (status === 0) return version.startsWith(name) ? version : `${name}: ${version}`;
  throw new SetupError(
    `The compiler ${name} (${version}) does not know C++20 or lacks its standard library.\n` +
      "Install GCC 10 or newer (Debian, Ubuntu: `apt install g++`) or name another compiler with CXX=/path/to/compiler.",
  );
}

/** A compiler with libtorch's headers takes about 1.5 GB. */
const BYTES_PER_COMPILER = 2e9;

/** As many compilers as this host can run side by side. */
function compilersAtOnce(): number {
  const limit = process.constrainedMemory();
  const memory = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return Math.max(2, Math.min(availableParallelism(), Math.floor(memory / BYTES_PER_COMPILER)));
}

interface BuildOptions {
  readonly root: string;
  /** Without a card to be used, CUDA's headers may be missing. */
  readonly needsCuda: boolean;
  /** A file for the compiler's words. */
  readonly log: string;
  readonly note: (text: string) => void;
}

/** Builds the addon unless it is up to date. Errors: SetupError with what is missing. */
export async function buildAgainst(libtorch: Libtorch, options: BuildOptions): Promise<BuiltAddon> {
  const { root, log, note } = options;
  const start = performance.now();
  const compiler = compilerOf();
  const env = environment(libtorch, options);
  try {
    const { addon, compiled, warnings } = await buildAddon({
      root,
      libtorch,
      env,
      atOnce: compilersAtOnce(),
      note,
    });
    recordSetup({ root, libtorch, addon });
    writeFileSync(log, `${compiler}\n${compiled} sources compiled\n${warnings}`);
    return { compiler, compiled, seconds: (performance.now() - start) / 1000 };
  } catch (error) {
    if (error instanceof SetupError) writeFileSync(log, `${compiler}\n${error.message}\n`);
    throw error;
  }
}

function environment(libtorch: Libtorch, { needsCuda, note }: BuildOptions): NodeJS.ProcessEnv {
  if (needsCuda) return process.env;
  try {
    cudaOf(libtorch);
    return process.env;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    note("CUDA's headers are not here: the addon is built for the processor alone");
    return { ...process.env, INVDIFF_CUDA: "0" };
  }
}
