// Runs the command line as a user would: a process of its own, straight from the sources.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MAIN = join(ROOT, "src", "cli", "main.ts");
const TSX = import.meta.resolve("tsx");

export interface CliResult {
  code: number | null;
  /** Signal that ended the process. */
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface CliOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** Kills the process after this time. */
  timeoutMs?: number;
}

/** A running command. */
export class Cli {
  stdout = "";
  stderr = "";
  readonly #child: ChildProcess;
  readonly #ended: Promise<CliResult>;
  #listeners = new Set<() => void>();
  #isOver = false;

  constructor(args: readonly string[], { cwd = ROOT, env = {}, timeoutMs = 120_000 }: CliOptions = {}) {
    this.#child = spawn(process.execPath, ["--import", TSX, MAIN, ...args], {
      cwd,
      env: { ...process.env, OMP_NUM_THREADS: "1", NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), timeoutMs);
    this.#child.stdout
      ?.setEncoding("utf8")
      .on("data", (text: string) => this.#tell(() => (this.stdout += text)));
    this.#child.stderr
      ?.setEncoding("utf8")
      .on("data", (text: string) => this.#tell(() => (this.stderr += text)));
    this.#ended = new Promise((resolve, reject) => {
      this.#child.on("error", reject);
      this.#child.on("close", (code, signal) => {
        clearTimeout(timer);
        this.#tell(() => (this.#isOver = true));
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  #tell(change: () => void): void {
    change();
    for (const listener of this.#listeners) listener();
  }

  /** Resolves when stdout or stderr matches; rejects with the output when the process ends before. */
  async waitFor(pattern: RegExp): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const look = () => {
        const isThere = pattern.test(this.stderr) || pattern.test(this.stdout);
        if (!isThere && !this.#isOver) return;
        this.#listeners.delete(look);
        if (isThere) resolve();
        else
          reject(new Error(`The command ended without ${String(pattern)}:\n${this.stdout}\n${this.stderr}`));
      };
      this.#listeners.add(look);
      look();
    });
  }

  /** Sends a signal, by default that of Ctrl-C. */
  send(signal: NodeJS.Signals = "SIGINT"): void {
    this.#child.kill(signal);
  }

  /** Resolves when the process has ended and all output is there. */
  end(): Promise<CliResult> {
    return this.#ended;
  }
}

/** Runs a command to its end. */
export const runCli = (args: readonly string[], options?: CliOptions): Promise<CliResult> =>
  new Cli(args, options).end();

/** Runs a command, sends Ctrl-C once its output matches `pattern`, and waits for its end. */
export async function interruptCli(
  args: readonly string[],
  pattern: RegExp,
  options?: CliOptions,
): Promise<CliResult> {
  const cli = new Cli(args, options);
  await cli.waitFor(pattern);
  cli.send();
  return await cli.end();
}
