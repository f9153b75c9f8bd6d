// On what the numbers were measured.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly platform: string;
  readonly loadBefore: number;
  /** As nvidia-smi tells; null without one. */
  readonly card: Readonly<Record<string, string>> | null;
  readonly driver: string | null;
}

const QUERY = ["name", "driver_version", "memory.total", "power.limit", "clocks.max.sm", "clocks.max.memory"];

function output(program: string, args: readonly string[], cwd?: string): string | undefined {
  const { stdout, status } = spawnSync(program, args, { encoding: "utf8", cwd, timeout: 20_000 });
  return status === 0 ? stdout.trim() : undefined;
}

/** Number of the card in a device's name: "cuda:1" is 1. */
const indexOf = (device: string): string => /:(\d+)$/.exec(device)?.[1] ?? "0";

function cardOf(device: string): Record<string, string> | null {
  const options = [`--query-gpu=${QUERY.join(",")}`, "--format=csv,noheader", "-i", indexOf(device)];
  const line = output("nvidia-smi", options)?.split("\n")[0];
  if (line === undefined) return null;
  const values = line.split(",").map((value) => value.trim());
  return Object.fromEntries(QUERY.map((name, i) => [name, values[i] ?? ""]));
}

function kernelDriver(): string | null {
  const file = "/proc/driver/nvidia/version";
  return existsSync(file)
    ? (/Kernel Module\s+(?:for \S+\s+)?(\S+)/.exec(readFileSync(file, "utf8"))?.[1] ?? null)
    : null;
}

export function describeMachine(device: string): Machine {
  const processors = cpus();
  const card = device === "cpu" ? null : cardOf(device);
  return {
    processor: processors[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    platform: `${process.platform} ${process.arch}`,
    loadBefore: loadavg()[0]!,
    card,
    driver: card?.["driver_version"] ?? (device === "cpu" ? null : kernelDriver()),
  };
}

/** The commit of the sources in `root`, with "+" where files differ from it; null outside a repository. */
export function commitOf(root: string): string | null {
  const commit = output("git", ["rev-parse", "HEAD"], root);
  if (commit === undefined) return null;
  return output("git", ["status", "--porcelain"], root) === "" ? commit : `${commit}+`;
}

/** Whether this Python can import torch. */
export const hasTorch = (python: string): boolean =>
  spawnSync(python, ["-c", "import torch"], { timeout: 120_000 }).status === 0;
