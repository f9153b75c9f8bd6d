// How the workers of both sides are started.
import { fileURLToPath } from "node:url";
import { hasTorch } from "./machine.ts";

export type Command = readonly [program: string, ...args: string[]];

export interface CommandOptions {
  readonly device: string;
  /** A Python with torch; undefined: python3 if it has one; null: none. */
  readonly python?: string | null;
  /** Measures diffusers' networks instead of tools/bench/gpu's. */
  readonly diffusers?: boolean;
  readonly threads?: number;
}

/** Our worker: from the sources by tsx, or what the compiler made of them. `cache` is a folder for its files. */
export function ourCommand({ device, threads }: CommandOptions, cache: string): Command {
  const isSource = import.meta.url.endsWith(".ts");
  const worker = fileURLToPath(new URL(isSource ? "worker.ts" : "worker.js", import.meta.url));
  const loader = isSource ? ["--import", import.meta.resolve("tsx")] : [];
  const count = threads === undefined ? [] : [String(threads)];
  return [process.execPath, "--expose-gc", ...loader, worker, device, cache, ...count];
}

export function pythonCommand({ device, python, diffusers, threads }: CommandOptions): Command | null {
  const program = python === undefined ? (hasTorch("python3") ? "python3" : null) : python;
  if (program === null) return null;
  const twin = fileURLToPath(new URL("../../tools/bench/gpu/worker.py", import.meta.url));
  return [
    ...[program, "-B", twin, "--device", device],
    ...(threads === undefined ? [] : ["--threads", String(threads)]),
    ...(diffusers ? ["--diffusers"] : []),
  ] as [string, ...string[]];
}
