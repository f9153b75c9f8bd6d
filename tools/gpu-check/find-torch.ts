// The Python whose torch is used, and what it says about itself and the card.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  inspectLibtorch,
  type Libtorch,
  MINIMUM_VERSION,
  SetupError,
} from "../../scripts/locate-libtorch.mjs";

interface Card {
  readonly name: string;
  readonly capability: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** The answer of probe.py. */
export interface PythonTorch {
  readonly executable: string;
  readonly python: string;
  /** Of the package; absent without torch. */
  readonly folder?: string;
  readonly torch?: string;
  /** Of the build, not of the card; null for a build without. */
  readonly cuda?: string | null;
  readonly hip?: string | null;
  readonly cudnn?: number;
  readonly cards?: readonly Card[];
  readonly cudaError?: string;
  /** Why `import torch` failed: the library can be used, but nothing in Python. */
  readonly importError?: string;
  /** 64 normal numbers of seed 1234 by device. */
  readonly normal?: Readonly<Record<string, readonly number[]>>;
}

export type FoundTorch = PythonTorch & { readonly libtorch: Libtorch };

const PROBE = fileURLToPath(new URL("probe.py", import.meta.url));
/** Loading CUDA's libraries from a cold disk takes its time. */
const PROBE_MS = 180_000;

const HOW =
  `Expected a Python with torch >= ${MINIMUM_VERSION} (for --device cuda a build with CUDA). ` +
  "Activate its environment, or name it with --python /path/to/python.";

/** Pythons to look at, in this order. */
export function candidates(python: string | undefined, env: NodeJS.ProcessEnv): string[] {
  if (python !== undefined) return [python];
  const environments = [env["VIRTUAL_ENV"], env["CONDA_PREFIX"]].flatMap((folder) =>
    folder ? [join(folder, "bin/python")] : [],
  );
  return [...environments.filter((path) => existsSync(path)), "python3", "python"];
}

function ask(python: string): PythonTorch | string {
  const { stdout, stderr, status, error } = spawnSync(python, ["-B", PROBE], {
    encoding: "utf8",
    timeout: PROBE_MS,
  });
  if (error !== undefined) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return "not found";
    return code === "ETIMEDOUT" ? `did not answer within ${PROBE_MS / 1000} s` : error.message;
  }
  const line = stdout.trim().split("\n").at(-1) ?? "";
  if (status === 0 && line.startsWith("{")) return JSON.parse(line) as PythonTorch;
  return `does not run: ${stderr.trim().split("\n").at(-1) ?? `exit code ${status}`}`;
}

/** The first Python that has torch. Errors: SetupError telling what was tried, or that its torch is too old or broken. */
export function findTorch(python: string | undefined, env: NodeJS.ProcessEnv = process.env): FoundTorch {
  const tried: string[] = [];
  for (const name of candidates(python, env)) {
    const answer = ask(name);
    if (typeof answer === "string") tried.push(`${name}: ${answer}`);
    else if (answer.folder === undefined)
      tried.push(`${name}: Python ${answer.python} (${answer.executable}) without torch`);
    else return { ...answer, libtorch: libraryOf(answer, answer.folder) };
  }
  throw new SetupError(`No torch was found.\n${tried.map((line) => `  ${line}`).join("\n")}\n${HOW}`);
}

function libraryOf(answer: PythonTorch, folder: string): Libtorch {
  if (answer.hip)
    throw new SetupError(
      `torch ${answer.torch} in ${folder} is a ROCm build, which is not supported.\n${HOW}`,
    );
  try {
    return inspectLibtorch(folder, "python");
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    // The remedies of the set-up are for a checkout.
    throw new SetupError(`${error.message.split("\n").slice(0, -1).join("\n")}\n${HOW}`);
  }
}

/** Why `device` cannot be checked with this torch, in a sentence or two; undefined when nothing speaks against it. */
export function problemOf(device: string, { libtorch, cards, cudaError }: FoundTorch): string | undefined {
  if (device !== "cuda") return undefined;
  const otherwise = "Use --device cpu to check this host without a card.";
  if (libtorch.cuda === null)
    return `torch ${libtorch.version} is a build without CUDA (${libtorch.path}). Install one with CUDA. ${otherwise}`;
  if (cards === undefined || cards.length > 0) return undefined;
  const reason = cudaError ?? "torch.cuda.device_count() is 0";
  const driver = existsSync("/proc/driver/nvidia/version") || existsSync("/dev/nvidiactl");
  const hint = driver
    ? "NVIDIA's driver is loaded: is it older than this torch's CUDA, or is the card hidden (CUDA_VISIBLE_DEVICES, the container's options)?"
    : "No NVIDIA driver is loaded on this host, or this container was started without its cards (docker: --gpus all).";
  return `torch ${libtorch.version} sees no CUDA card: ${reason}\n${hint}\n${otherwise}`;
}
