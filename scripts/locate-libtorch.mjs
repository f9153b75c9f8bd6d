// Finds libtorch without importing it: LIBTORCH, then the active Python's torch package, then .libtorch/ of this project.
// Needs nothing but Node, so that it can run before the first `npm ci`.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The oldest libtorch whose headers and dispatcher the addon understands. */
export const MINIMUM_VERSION = "2.4";

/** Root folder of the project. */
export const PROJECT_ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

/** A failure with its exit code: 1 when the user's environment is at fault, 2 when we are. */
export class SetupError extends Error {
  constructor(message, { exitCode = 1, cause } = {}) {
    super(message, { cause });
    this.name = "SetupError";
    this.exitCode = exitCode;
  }
}

/** File name of a shared library on this system. */
export const libraryName = (name) => `lib${name}.${process.platform === "darwin" ? "dylib" : "so"}`;

/** True when `version` ("2.13.0+cpu") is at least `minimum` ("2.4"). */
export function versionAtLeast(version, minimum) {
  const parts = (text) => text.split(/[.+]/).map((part) => Number.parseInt(part, 10) || 0);
  const [major = 0, minor = 0] = parts(version);
  const [wantedMajor = 0, wantedMinor = 0] = parts(minimum);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

const readText = (path) => (existsSync(path) ? readFileSync(path, "utf8") : undefined);

/** Version of the libtorch in `folder`: the wheel's version.py, the zip's build-version, or the C++ header. */
function readVersion(folder) {
  const python = readText(join(folder, "version.py"));
  const fromPython = python?.match(/^__version__\s*(?::[^=]*)?=\s*['"]([^'"]+)['"]/m)?.[1];
  if (fromPython) return fromPython;
  const built = readText(join(folder, "build-version"))?.trim();
  if (built) return built;
  const header = readText(join(folder, "include/torch/csrc/api/include/torch/version.h")) ?? "";
  const number = (name) => header.match(new RegExp(`define TORCH_VERSION_${name} (\\d+)`))?.[1];
  const major = number("MAJOR");
  return major === undefined ? undefined : `${major}.${number("MINOR") ?? 0}.${number("PATCH") ?? 0}`;
}

/** CUDA version the libtorch was built for ("12.8"), null for a CPU build, "unknown" when it does not say. */
function readCuda(folder, version) {
  if (!existsSync(join(folder, "lib", libraryName("torch_cuda")))) return null;
  const python = readText(join(folder, "version.py"));
  const fromPython = python?.match(/^cuda\s*(?::[^=]*)?=\s*['"]([^'"]+)['"]/m)?.[1];
  if (fromPython) return fromPython;
  const tag = version.match(/\+cu(\d+)(\d)$/);
  return tag ? `${tag[1]}.${tag[2]}` : "unknown";
}

/** True when c10 was compiled with the new string ABI of libstdc++ (`std::__cxx11::string` in its own symbols). */
export function usesCxx11Abi(folder) {
  if (process.platform === "darwin") return true;
  const symbols = readFileSync(join(folder, "lib", libraryName("c10"))).toString("latin1");
  return /_ZNK?3c10\w*__cxx1112basic_string/.test(symbols);
}

const REMEDIES = {
  LIBTORCH:
    "Set LIBTORCH to a newer unpacked libtorch or site-packages/torch (a folder with lib/ and include/), " +
    "or unset it and run `npm run setup` to have one installed.",
  python: "Update that torch, or set LIBTORCH to another libtorch (a folder with lib/ and include/).",
  ".libtorch": "Delete the folder .libtorch and run `npm run setup` to have it installed again.",
};

/**
 * Describes the libtorch in `folder` (the folder with lib/ and include/).
 * Throws `SetupError` when files are missing or the version is older than `MINIMUM_VERSION`.
 */
export function inspectLibtorch(folder, source) {
  const path = resolve(folder);
  const needed = [`lib/${libraryName("torch_cpu")}`, `lib/${libraryName("c10")}`, "include/ATen/ATen.h"];
  const missing = needed.filter((file) => !existsSync(join(path, file)));
  if (missing.length > 0) {
    throw new SetupError(
      `No usable libtorch in ${path} (${source}): missing ${missing.join(", ")}.\n` +
        `Expected a folder with lib/ and include/ of libtorch ${MINIMUM_VERSION} or newer.\n${REMEDIES[source]}`,
    );
  }
  const version = readVersion(path);
  if (version === undefined || !versionAtLeast(version, MINIMUM_VERSION)) {
    throw new SetupError(
      `libtorch in ${path} (${source}) is version ${version ?? "unknown"}; ` +
        `expected ${MINIMUM_VERSION} or newer.\n${REMEDIES[source]}`,
    );
  }
  return { path, version, cuda: readCuda(path, version), cxx11Abi: usesCxx11Abi(path), source };
}

// The folder in which the script was started is no place of packages, so it leaves sys.path first.
const FIND_TORCH = `
import sys, importlib.util
sys.path = [p for p in sys.path if p]
spec = importlib.util.find_spec("torch")
print(spec.submodule_search_locations[0] if spec and spec.origin else "")
`;

/** Folder of the active Python's torch package, or undefined. Does not import torch (that takes seconds). */
export function pythonTorchFolder(python = "python3") {
  const run = spawnSync(python, ["-c", FIND_TORCH], { encoding: "utf8", timeout: 20_000 });
  const folder = run.status === 0 ? run.stdout.trim() : "";
  return folder === "" ? undefined : folder;
}

/**
 * The libtorch to use, or undefined when there is none yet.
 * A LIBTORCH that does not fit is an error; a Python torch that does not fit is passed over and told to `note`.
 */
export function locateLibtorch({
  root = PROJECT_ROOT,
  env = process.env,
  findPythonTorch = pythonTorchFolder,
  note = () => {},
} = {}) {
  if (env.LIBTORCH) return inspectLibtorch(env.LIBTORCH, "LIBTORCH");
  const fromPython = findPythonTorch();
  if (fromPython !== undefined) {
    try {
      return inspectLibtorch(fromPython, "python");
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      note(`passed over the active Python's torch: ${error.message.split("\n")[0]}`);
    }
  }
  const own = join(root, ".libtorch", "torch");
  return existsSync(own) ? inspectLibtorch(own, ".libtorch") : undefined;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(JSON.stringify(locateLibtorch({ note: console.error }) ?? null, null, 2));
  } catch (error) {
    console.error(error instanceof SetupError ? error.message : error);
    process.exitCode = error instanceof SetupError ? error.exitCode : 2;
  }
}
