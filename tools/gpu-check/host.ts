// The host in words, for the head of the table and for the JSON.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";

export interface Host {
  readonly system: string;
  readonly kernel: string;
  readonly glibc: string | undefined;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** As nvidia-smi names them: "NAME, driver VERSION, MEMORY, POWER LIMIT". */
  readonly cards: readonly string[];
}

/** The first line of a command's output, undefined when it is not there or fails. */
export function firstLine(command: string, args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync(command, args, { encoding: "utf8", timeout: 20_000 });
  return status === 0 ? stdout.trim().split("\n")[0] : undefined;
}

function nvidiaSmi(): string[] {
  const query = [
    "--query-gpu=name,driver_version,memory.total,power.limit,clocks.max.sm",
    "--format=csv,noheader",
  ];
  const { status, stdout } = spawnSync("nvidia-smi", query, { encoding: "utf8", timeout: 20_000 });
  return status === 0 ? stdout.trim().split("\n") : [];
}

export function describeHost(): Host {
  const file = "/etc/os-release";
  const system = existsSync(file)
    ? /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync(file, "utf8"))?.[1]
    : undefined;
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return {
    ...{ system: system ?? "Linux", kernel: release(), glibc: header.glibcVersionRuntime },
    ...{ cpu: cpus()[0]?.model.trim() ?? "unknown", cores: availableParallelism() },
    ...{ memoryBytes: totalmem(), cards: nvidiaSmi() },
  };
}
