// What this machine offers to invdiff, and what to do about what is missing. Works without the engine, too.
import { existsSync, readFileSync } from "node:fs";
import { freemem, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { bytesText, freeDiskBytes } from "./disk-full.ts";
import { cardFacts } from "./doctor-cards.ts";
import { type DoctorFact, ok, problem, warning } from "./doctor-fact.ts";
import { physicalCores } from "./threads.ts";
import { packageVersion } from "./versions.ts";

export type { DoctorFact } from "./doctor-fact.ts";

export interface DoctorReport {
  facts: DoctorFact[];
  /** True when there is no problem. */
  healthy: boolean;
}

/** build/setup.json, written by the set-up. */
interface Setup {
  libtorch?: { path?: string; version?: string; cuda?: string | null; source?: string };
  addon?: string;
}

type Torch = typeof import("../torch/index.ts");

export interface DoctorOptions {
  /** Its disk is looked at; default: the working folder. */
  folder?: string;
  /** Folder of the package; default: this one. */
  root?: string;
  /** Loads the engine; default: the real one. */
  loadTorch?: () => Promise<Torch>;
}

const GB = 1e9;

/** Looks at Node, libtorch, the addon, processor, GPU, memory and disk. Never throws for what it finds. */
export async function doctor({
  folder = process.cwd(),
  root = fileURLToPath(new URL("../..", import.meta.url)),
  loadTorch = () => import("../torch/index.ts"),
}: DoctorOptions = {}): Promise<DoctorReport> {
  const setup = readSetup(root);
  let torch: Torch | undefined;
  let reason = "";
  try {
    torch = await loadTorch();
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error);
  }
  const facts = [
    ok("invdiff", packageVersion()),
    nodeFact(),
    libtorchFact(setup, torch),
    addonFact(setup, torch, reason),
    ...(torch ? engineFacts(torch) : []),
    cudaFact(setup, torch),
    ...(torch ? cardFacts(torch, cudaDevices(torch)) : []),
    memoryFact(),
    diskFact(folder),
  ];
  return { facts, healthy: facts.every(({ status }) => status !== "problem") };
}

function readSetup(root: string): Setup | undefined {
  try {
    return JSON.parse(readFileSync(`${root}/build/setup.json`, "utf8")) as Setup;
  } catch {
    return undefined;
  }
}

function nodeFact(): DoctorFact {
  const { node } = process.versions;
  const [major = 0, minor = 0] = node.split(".").map(Number);
  const fits = major > 20 || (major === 20 && minor >= 11);
  const value = `${node} (${process.platform} ${process.arch})`;
  return fits
    ? ok("Node", value)
    : problem("Node", value, "Install Node 20.11 or newer from https://nodejs.org.");
}

function libtorchFact(setup: Setup | undefined, torch: Torch | undefined): DoctorFact {
  const found = setup?.libtorch;
  if (!found?.path)
    return torch
      ? warning("libtorch", `${torch.libtorchVersion()}, place unknown`, "Run: npm run setup")
      : problem("libtorch", "not set up", "Run: npm run setup");
  const kind = found.cuda == null ? "CPU build" : `CUDA ${found.cuda} build`;
  const value = `${found.version ?? "unknown version"}, ${kind}, from ${found.source ?? "?"}: ${found.path}`;
  if (!existsSync(found.path))
    return problem(
      "libtorch",
      `${value} (no longer there)`,
      "Run: npm run setup, which finds or installs it.",
    );
  return ok("libtorch", value);
}

function addonFact(setup: Setup | undefined, torch: Torch | undefined, reason: string): DoctorFact {
  if (torch) return ok("native addon", `loaded${setup?.addon ? ` from ${setup.addon}` : ""}`);
  return problem("native addon", `does not load: ${reason}`, "Run: npm run setup");
}

function engineFacts(torch: Torch): DoctorFact[] {
  const text = torch.showConfig();
  const blas = /BLAS_INFO=(\w+)/.exec(text)?.[1] ?? /BLAS=([^,\s]+)/.exec(text)?.[1];
  const simd = /CPU capability usage:\s*(\S+)/.exec(text)?.[1];
  const backend = /parallel backend:\s*(.+)/.exec(text)?.[1]?.trim();
  const blasText = [
    blas?.toUpperCase() ?? "unknown",
    /MKL-DNN v?([\d.]+)/.exec(text) ? "oneDNN" : "",
    simd ?? "",
  ]
    .filter((part) => part !== "")
    .join(", ");
  const omp = process.env["OMP_NUM_THREADS"];
  const threads =
    `${torch.getNumThreads()} of ${physicalCores()} physical cores` +
    (backend ? `, ${backend}` : "") +
    (omp ? `, OMP_NUM_THREADS=${omp}` : "");
  const flush = torch.setFlushDenormal(true);
  return [
    blas === undefined
      ? warning("BLAS", blasText, "Matrix products may be slow; take a libtorch with MKL or OpenBLAS.")
      : ok("BLAS", blasText),
    ok("threads", threads),
    flush
      ? ok("denormal floats", "can be flushed to zero")
      : warning("denormal floats", "cannot be flushed to zero", "Training on this processor may slow down."),
  ];
}

const cudaDevices = (torch: Torch): string[] =>
  Array.from({ length: torch.cudaDeviceCount() }, (_, index) => `cuda:${index}`);

function cudaFact(setup: Setup | undefined, torch: Torch | undefined): DoctorFact {
  const gpu = existsSync("/proc/driver/nvidia/version");
  const built = setup?.libtorch?.cuda != null;
  const count = torch?.cudaDeviceCount() ?? 0;
  if (count > 0) return ok("CUDA devices", `${count} (cuda:0${count > 1 ? ` to cuda:${count - 1}` : ""})`);
  if (gpu && !built)
    return warning(
      "CUDA devices",
      "none: there is an NVIDIA driver, but libtorch is a CPU build",
      "Delete the folder .libtorch and run: npm run setup",
    );
  if (built)
    return warning(
      "CUDA devices",
      `none: libtorch is built for CUDA, but ${gpu ? "the driver shows no device to it" : "no NVIDIA driver is loaded"}`,
      "Check nvidia-smi and CUDA_VISIBLE_DEVICES; until then use device: cpu.",
    );
  return ok("CUDA devices", "none: no NVIDIA driver; the processor is used");
}

function memoryFact(): DoctorFact {
  // A container's limit counts where there is one.
  const limit = process.constrainedMemory();
  const total = limit > 0 && limit < totalmem() ? limit : totalmem();
  const free = Math.min(freemem(), total);
  const value = `${bytesText(free)} free of ${bytesText(total)}`;
  return free < 4 * GB
    ? warning("memory", value, "The quickstart needs up to 4 GB; close other programs.")
    : ok("memory", value);
}

function diskFact(folder: string): DoctorFact {
  const free = freeDiskBytes(folder);
  if (free === undefined) return warning("disk", "free space unknown", "Make sure that 2 GB are free.");
  const value = `${bytesText(free)} free at ${folder}`;
  return free < 2 * GB
    ? warning(
        "disk",
        value,
        "The quickstart writes up to 1 GB; free some space or use --out on another disk.",
      )
    : ok("disk", value);
}
