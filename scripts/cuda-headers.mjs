// Finds CUDA's own headers and libraries for a libtorch that is built for CUDA: beside it, where Python's packages put
// them, else in a toolkit. Only headers of the libtorch's own major version fit.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { SetupError } from "./locate-libtorch.mjs";

/** "13" of "13.0"; undefined when the libtorch does not say. */
const majorOf = (cuda) => /^(\d+)\./.exec(cuda)?.[1];

/** Folders of Python's NVIDIA packages (include/ and lib/ in each), newest layout first. */
function packageFolders(libtorch) {
  const nvidia = join(dirname(libtorch.path), "nvidia");
  const names = [`cu${majorOf(libtorch.cuda) ?? ""}`, "cuda_runtime", "cuda_nvrtc"];
  return names.map((name) => join(nvidia, name));
}

/** Folders in which a toolkit's headers may lie, best first: what is named, what conda has, what a system has. */
function toolkitFolders(libtorch, env) {
  const roots = [env.CUDA_HOME, env.CUDA_PATH].filter(Boolean);
  const prefix = join(dirname(libtorch.path), "../../.."); // an environment's own, above lib/pythonX.Y/site-packages
  const system = ["/usr/local/cuda", `/usr/local/cuda-${libtorch.cuda}`, "/opt/cuda"];
  return [...roots, prefix, ...system].flatMap((root) => [
    join(root, "include"),
    join(root, "targets/x86_64-linux/include"),
  ]);
}

/** Folders that every compiler searches, and must not be told to: its own headers come before them. */
const IMPLICIT = ["/usr/include", "/usr/local/include"];

/** CUDA's major version by its header; undefined for a folder without. */
function headerMajor(folder) {
  const header = join(folder, "cuda_runtime_api.h");
  if (!existsSync(header)) return undefined;
  const version = /#define\s+CUDART_VERSION\s+(\d+)/.exec(readFileSync(header, "utf8"))?.[1];
  return version === undefined ? undefined : String(Math.floor(Number(version) / 1000));
}

/**
 * Where the compiler finds CUDA: `folders` to include (none for a system's own), `libraries` folders for the loader, and whether `nvrtc.h` is there.
 * Throws `SetupError` when there are no headers of the libtorch's CUDA version.
 */
export function findCuda(libtorch, env = process.env) {
  const wanted = majorOf(libtorch.cuda);
  const packages = packageFolders(libtorch);
  const candidates = [...packages.map((folder) => join(folder, "include")), ...toolkitFolders(libtorch, env)];
  const others = [];
  const runtime = candidates.find((folder) => {
    const major = headerMajor(folder);
    if (major === undefined || wanted === undefined || major === wanted) return major !== undefined;
    others.push(`CUDA ${major} in ${folder}`);
    return false;
  });
  if (runtime === undefined) throw noHeaders(libtorch, wanted, candidates, others);
  // Of the same origin as the runtime's: a package of its own (CUDA 12) or the same folder.
  const origins = packages.includes(dirname(runtime))
    ? packages.map((folder) => join(folder, "include"))
    : [runtime];
  const nvrtc = origins.find((folder) => existsSync(join(folder, "nvrtc.h")));
  const folders = [...new Set([runtime, ...(nvrtc === undefined ? [] : [nvrtc])])];
  return {
    folders: folders.filter((folder) => !IMPLICIT.includes(folder)),
    libraries: packages.map((folder) => join(folder, "lib")).filter((folder) => existsSync(folder)),
    nvrtc: nvrtc !== undefined,
  };
}

function noHeaders(libtorch, wanted, candidates, others) {
  const version = wanted === undefined ? "" : ` ${wanted}`;
  return new SetupError(
    `libtorch ${libtorch.version} in ${libtorch.path} is built for CUDA, but CUDA's headers are not found: ` +
      `cuda_runtime_api.h of CUDA${version} is in none of\n  ${candidates.join("\n  ")}\n` +
      (others.length > 0 ? `(found and not fitting: ${others.join("; ")})\n` : "") +
      `Install Python's package of the CUDA${version} runtime beside torch, or the CUDA${version} toolkit and name it with ` +
      "CUDA_HOME=/path/to/cuda; INVDIFF_CUDA=0 builds for the processor alone.",
  );
}
