// How many threads libtorch shall use.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { ExperimentConfig } from "./config.ts";

/** Physical cores that this process may use; training gains nothing from a core's second hardware thread. */
export function physicalCores(): number {
  const allowed = availableParallelism();
  return Math.max(1, Math.min(allowed, coresOfMachine() ?? allowed));
}

function coresOfMachine(): number | undefined {
  try {
    if (process.platform === "darwin")
      return Number(execFileSync("sysctl", ["-n", "hw.physicalcpu"], { encoding: "utf8" })) || undefined;
    return countCores(readFileSync("/proc/cpuinfo", "utf8"));
  } catch {
    return undefined;
  }
}

/** Distinct (socket, core) pairs in the text of /proc/cpuinfo; undefined where it does not name them. */
export function countCores(cpuinfo: string): number | undefined {
  const cores = new Set<string>();
  for (const block of cpuinfo.split(/\n\s*\n/)) {
    const socket = /^physical id\s*:\s*(\d+)/m.exec(block)?.[1];
    const core = /^core id\s*:\s*(\d+)/m.exec(block)?.[1];
    if (socket !== undefined && core !== undefined) cores.add(`${socket}/${core}`);
  }
  return cores.size > 0 ? cores.size : undefined;
}

/** Threads for a run; undefined leaves libtorch's own choice ("auto" where OMP_NUM_THREADS is set). */
export function resolveThreads(config: Pick<ExperimentConfig, "threads">): number | undefined {
  if (config.threads !== "auto") return config.threads;
  return process.env["OMP_NUM_THREADS"] ? undefined : physicalCores();
}
