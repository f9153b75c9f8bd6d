// Compiles native/*.cc against libtorch into build/invdiff.node with the system's C++ compiler; no CMake, no node-gyp.
// Only what changed is compiled again: an object's name carries the hash of everything that went into it. Against a
// libtorch with CUDA also native/cuda.cc and, where NVRTC's header is, native/kernels/; native/simulated is for tests.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { handleSignals, run, withTemporary } from "./child.mjs";
import { findCuda } from "./cuda-headers.mjs";
import { PROJECT_ROOT, SetupError, libraryName, locateLibtorch } from "./locate-libtorch.mjs";

const COMPILERS_AT_ONCE = 2; // each takes more than 1 GB with libtorch's headers

const hashOf = (...parts) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("hex").slice(0, 16);
};

/** The compiler: CXX, else g++, else clang++. Only looked for when something must be compiled. */
export function findCompiler(env = process.env) {
  const candidates = env.CXX ? [env.CXX] : ["g++", "clang++"];
  const found = candidates.find((name) => spawnSync(name, ["--version"], { stdio: "ignore" }).status === 0);
  if (found !== undefined) return found;
  throw new SetupError(
    `No C++ compiler found (tried ${candidates.join(", ")}); one with C++20 is needed to build the bridge to libtorch.\n` +
      "Install one (Debian, Ubuntu: `sudo apt install g++`; Fedora: `sudo dnf install gcc-c++`; " +
      "macOS: `xcode-select --install`) or name one with CXX=/path/to/compiler.",
  );
}

/** CUDA's headers and libraries for this libtorch; undefined where none are wanted (INVDIFF_CUDA=0 wants none). */
export const cudaOf = (libtorch, env = process.env) =>
  libtorch.cuda === null || env.INVDIFF_CUDA === "0" ? undefined : findCuda(libtorch, env);

/** Flags for one source file; `cuda` as `cudaOf` gives it. */
export function compileFlags(root, libtorch, cuda) {
  const headers = [
    join(root, "node_modules/node-api-headers/include"),
    join(libtorch.path, "include"),
    join(libtorch.path, "include/torch/csrc/api/include"),
    // Last, so that CUDA's own win where they are.
    ...(cuda === undefined ? [] : [...cuda.folders, join(root, "native/crt-stand-in")]),
  ];
  return [
    ...["-std=c++20", "-O2", "-fPIC", "-Wall", "-DNDEBUG"],
    `-D_GLIBCXX_USE_CXX11_ABI=${libtorch.cxx11Abi ? 1 : 0}`,
    ...(cuda === undefined ? [] : ["-DINVDIFF_CUDA=1"]),
    ...(cuda?.nvrtc ? ["-DINVDIFF_NVRTC=1"] : []),
    ...headers.flatMap((folder) => ["-isystem", folder]),
  ];
}

/** Flags for the shared library; CUDA libraries are linked when this libtorch has them. */
export function linkFlags(libtorch, cuda) {
  const lib = join(libtorch.path, "lib");
  const optional = ["torch_cuda", "c10_cuda"].filter((name) => existsSync(join(lib, libraryName(name))));
  const libraries = ["torch", "torch_cpu", "c10", ...optional].map((name) => `-l${name}`);
  const system = process.platform === "darwin" ? ["-undefined", "dynamic_lookup"] : ["-Wl,--no-as-needed"];
  // CUDA's runtime comes with libtorch's own libraries; the folders are for finding it where theirs do not say.
  const folders = [lib, ...(cuda?.libraries ?? [])];
  const search = folders.flatMap((folder) => [`-Wl,-rpath,${folder}`, ...rpathLink(folder)]);
  return ["-shared", `-L${lib}`, ...system, ...libraries, ...search];
}

const rpathLink = (folder) => (process.platform === "linux" ? [`-Wl,-rpath-link,${folder}`] : []);

/** Sources and headers of a build, relative to native/: the top folder's, and the kernels where they can be built. */
function nativeFiles(native, cuda) {
  const list = (folder) => (existsSync(folder) ? readdirSync(folder).sort() : []);
  const top = list(native).filter((name) => cuda !== undefined || name !== "cuda.cc");
  const within = (folder) => list(join(native, folder)).map((name) => `${folder}/${name}`);
  const kernels = cuda?.nvrtc ? within("kernels") : [];
  const files = [...top, ...kernels, ...(cuda === undefined ? [] : within("crt-stand-in/crt"))];
  return {
    sources: files.filter((name) => name.endsWith(".cc")),
    headers: files.filter((name) => name.endsWith(".h")),
  };
}

/**
 * What a build would do: objects with their names, and the key of the finished addon.
 * The key changes with any source, header, flag, compiler name or libtorch.
 */
export function planBuild({ root = PROJECT_ROOT, libtorch, env = process.env }) {
  const native = join(root, "native");
  const cuda = cudaOf(libtorch, env);
  const { sources, headers } = nativeFiles(native, cuda);
  if (sources.length === 0) throw new SetupError(`No C++ sources in ${native}.`, { exitCode: 2 });
  const text = (name) => readFileSync(join(native, name));
  const flags = compileFlags(root, libtorch, cuda);
  const common = hashOf(
    // Without the project's own place, so that a folder that was moved is not built again.
    ...[libtorch.version, env.CXX ?? "", ...flags.map((flag) => flag.replaceAll(root, "."))],
    ...headers.flatMap((name) => [name, text(name)]),
  );
  const objects = sources.map((name) => ({
    source: join(native, name),
    object: join(root, "build", common, `${name.replace("/", "-").slice(0, -3)}-${hashOf(text(name))}.o`),
  }));
  const link = linkFlags(libtorch, cuda);
  const key = hashOf(common, ...objects.map((entry) => basename(entry.object)), ...link);
  const build = join(root, "build");
  return {
    ...{ objects, flags, link, key, folder: join(build, common) },
    ...{ addon: join(build, "invdiff.node"), stamp: join(build, "addon.key") },
  };
}

/** True when the addon of this plan lies there, whole. */
export function isBuilt(plan) {
  if (!existsSync(plan.addon) || !existsSync(plan.stamp)) return false;
  return readFileSync(plan.stamp, "utf8") === `${plan.key} ${statSync(plan.addon).size}`;
}

/** Runs the compiler into a temporary name and renames; throws with the compiler's own words. */
async function compile(compiler, args, output, what) {
  return withTemporary(`${output}.tmp-${process.pid}`, async (temporary) => {
    const { code, signal, output: messages } = await run(compiler, [...args, "-o", temporary]);
    if (code === 0) {
      renameSync(temporary, output);
      return messages;
    }
    const killed = signal !== null || /Killed signal/.test(messages);
    const reason = killed ? "killed; out of memory? One compiler needs about 1.5 GB" : `exit code ${code}`;
    const shown = messages.split("\n").slice(0, 60).join("\n");
    throw new SetupError(`${what} failed (${compiler}: ${reason}).\n${shown}`, { exitCode: killed ? 1 : 2 });
  });
}

/** Removes objects of earlier builds: other folders' and this folder's unused ones. */
function removeOldObjects(root, plan) {
  const build = join(root, "build");
  for (const name of readdirSync(build)) {
    const old = /^[0-9a-f]{16}$/.test(name) && join(build, name) !== plan.folder;
    if (old || name.startsWith("invdiff.node.tmp-"))
      rmSync(join(build, name), { recursive: true, force: true });
  }
  const used = new Set(plan.objects.map((entry) => basename(entry.object)));
  for (const name of readdirSync(plan.folder)) if (!used.has(name)) rmSync(join(plan.folder, name));
}

/**
 * Builds build/invdiff.node unless it is up to date, with `atOnce` compilers side by side. Returns its path, how many files
 * were compiled, and the compiler's warnings. Interrupted at any point it leaves the old addon or the new one.
 */
export async function buildAddon({
  root = PROJECT_ROOT,
  libtorch,
  env = process.env,
  force = false,
  atOnce = COMPILERS_AT_ONCE,
  note = () => {},
}) {
  const plan = planBuild({ root, libtorch, env });
  if (!force && isBuilt(plan)) return { addon: plan.addon, compiled: 0, fresh: true, warnings: "" };
  if (!existsSync(join(root, "node_modules/node-api-headers/include/node_api.h"))) {
    throw new SetupError("node-api-headers is not installed; run `npm ci --ignore-scripts` first.");
  }
  const compiler = findCompiler(env);
  mkdirSync(plan.folder, { recursive: true });
  const waiting = plan.objects.filter((entry) => force || !existsSync(entry.object));
  const compiled = waiting.length;
  note(`building the native addon: ${compiled} of ${plan.objects.length} sources with ${compiler}`);
  const warnings = [];
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const name = relative(join(root, "native"), next.source);
      const args = [...plan.flags, "-c", next.source];
      warnings.push(await compile(compiler, args, next.object, `Compiling native/${name}`));
    }
  };
  // All workers finish before a failure is told, so that no compiler outlives the build.
  const results = await Promise.allSettled(Array.from({ length: atOnce }, worker));
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  const objects = plan.objects.map((entry) => entry.object);
  rmSync(plan.stamp, { force: true });
  warnings.push(await compile(compiler, [...objects, ...plan.link], plan.addon, "Linking the addon"));
  writeFileSync(plan.stamp, `${plan.key} ${statSync(plan.addon).size}`);
  removeOldObjects(root, plan);
  return { addon: plan.addon, compiled, fresh: false, warnings: warnings.join("") };
}

/** Writes build/setup.json, which src/torch reads: where libtorch and the addon are. */
export function recordSetup({ root = PROJECT_ROOT, libtorch, addon }) {
  const { path, version, cuda, source } = libtorch;
  const text = `${JSON.stringify({ libtorch: { path, version, cuda, source }, addon }, null, 2)}\n`;
  const target = join(root, "build", "setup.json");
  if (existsSync(target) && readFileSync(target, "utf8") === text) return;
  const temporary = `${target}.tmp-${process.pid}`;
  writeFileSync(temporary, text);
  renameSync(temporary, target);
}

async function main() {
  const libtorch = locateLibtorch({ note: console.error });
  if (libtorch === undefined) {
    throw new SetupError("No libtorch found; run `npm run setup` to have one installed, or set LIBTORCH.");
  }
  const start = performance.now();
  const force = process.argv.includes("--force");
  const { addon, compiled, fresh, warnings } = await buildAddon({ libtorch, force });
  recordSetup({ libtorch, addon });
  if (warnings) console.error(warnings);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    fresh ? `addon up to date: ${addon}` : `addon built (${compiled} compiled, ${seconds} s): ${addon}`,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  handleSignals();
  try {
    await main();
  } catch (error) {
    console.error(error instanceof SetupError ? error.message : error);
    process.exitCode = error instanceof SetupError ? error.exitCode : 2;
  }
}
