// Libtorch's backend for tests of device code without a card (native/simulated), built once into build/simulated and
// loaded when this file is imported: before the first backward pass of the process, as libtorch needs it.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { compileFlags, findCompiler, linkFlags } from "../scripts/build-addon.mjs";
import { run, withTemporary } from "../scripts/child.mjs";
import { locateLibtorch, PROJECT_ROOT } from "../scripts/locate-libtorch.mjs";
import { withLock } from "../scripts/setup-lock.mjs";
import { call, operatorTable } from "../src/torch/bridge.ts";
import { loadLibrary } from "../src/torch/index.ts";

const FOLDER = join(PROJECT_ROOT, "build/simulated");
const SOURCES = join(PROJECT_ROOT, "native/simulated");

/** The library's path bears the hash of everything that goes into it. */
function plan(): { library: string; args: (unit: string) => string[]; text: string } {
  const libtorch = locateLibtorch();
  if (libtorch === undefined) throw new Error("the simulated device needs libtorch: run `npm run setup`");
  const names = readdirSync(SOURCES).sort();
  const read = [...names.map((name) => join(SOURCES, name)), join(PROJECT_ROOT, "native/accelerator.h")];
  const flags = compileFlags(PROJECT_ROOT, libtorch).map((flag) => (flag === "-O2" ? "-O1" : flag));
  const link = linkFlags(libtorch);
  const hash = createHash("sha256").update(JSON.stringify([libtorch.version, flags, link]));
  for (const path of read) hash.update("\0").update(readFileSync(path));
  // One unit: the headers cost far more than the sources.
  const sources = names.filter((name) => name.endsWith(".cc"));
  return {
    library: join(FOLDER, `simulated-${hash.digest("hex").slice(0, 16)}.so`),
    args: (unit) => [...flags, unit, ...link],
    text: sources.map((name) => `#include "${join(SOURCES, name)}"\n`).join(""),
  };
}

/** Compiles what is not there yet; gives the path of the library, for loadLibrary or INVDIFF_BACKEND. */
export async function buildSimulatedDevice(): Promise<string> {
  const { library, args, text } = plan();
  if (existsSync(library)) return library;
  mkdirSync(FOLDER, { recursive: true });
  await withLock(join(FOLDER, "lock"), async () => {
    if (existsSync(library)) return;
    await withTemporary(`${library}.tmp-${process.pid}`, async (temporary) => {
      const unit = `${library}.cc`;
      writeFileSync(unit, text);
      const { code, output } = await run(findCompiler(), [...args(unit), "-o", temporary]);
      if (code !== 0) throw new Error(`the simulated device does not compile:\n${output.slice(0, 4000)}`);
      renameSync(temporary, library);
    });
    for (const name of readdirSync(FOLDER))
      if (!name.startsWith(basename(library)) && name !== "lock") rmSync(join(FOLDER, name), { force: true });
  });
  return library;
}

/** What makes the program wait: reads of values, copies from ordinary memory, and being asked to. */
export type WaitKind = "read" | "write" | "synchronize" | "event";

export interface SimulatedDevice {
  readonly device: "privateuseone:0";
  /** The library, for the INVDIFF_BACKEND of a child process. */
  readonly library: string;
  /**
   * How often the program waited for the device since `resetWaits`: all kinds, or one. An event's synchronize counts only
   * when nothing was queued behind the event, so that the device stood still.
   */
  waits(kind?: WaitKind): number;
  /** "kind operator count" of every wait, and of copies that the driver stages ("staged": no wait). */
  waitLines(): string[];
  resetWaits(): void;
  /** Runs a synchronous function in which every wait throws `TorchError`, which shows where it comes from. */
  withoutWaits<T>(fn: () => T): T;
  /** Kernels started so far; a graph's replay is one. */
  launches(): number;
  memoryLimit(): number;
  setMemoryLimit(bytes: number): void;
}

const operator = operatorTable(
  ["waits", "wait_lines", "reset_waits", "launches", "memory_limit", "set_memory_limit", "forbid_waits"].map(
    (name) => `simulated::${name}`,
  ),
);

const library = await buildSimulatedDevice();
loadLibrary(library);
process.env["INVDIFF_BACKEND"] = library; // so that configurations may name the device

/** The simulated device of this process: one, loaded by importing this file. */
export const simulatedDevice = (): SimulatedDevice => ({
  device: "privateuseone:0",
  library,
  waits: (kind) =>
    kind === undefined
      ? (["read", "write", "synchronize", "event"] as const).reduce((sum, one) => sum + countOf(one), 0)
      : countOf(kind),
  waitLines: () => (call(operator(1)) as string).split("\n").filter((line) => line !== ""),
  resetWaits: () => void call(operator(2)),
  withoutWaits: (fn) => {
    call(operator(6), true);
    try {
      return fn();
    } finally {
      call(operator(6), false);
    }
  },
  launches: () => call(operator(3)) as number,
  memoryLimit: () => call(operator(4)) as number,
  setMemoryLimit: (bytes) => void call(operator(5), bytes),
});

const countOf = (kind: WaitKind): number => call(operator(0), kind) as number;
