// A worker as the benchmark sees it: a process that is asked case by case. One that dies or takes too long is replaced, and
// the case that it was at has a reason in the place of numbers.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface, type Interface } from "node:readline";
import type { Case } from "./cases.ts";
import type { Answer, Hello, Result } from "./protocol.ts";

export interface WorkerOptions {
  readonly command: readonly [string, ...string[]];
  /** Ways of a case that this worker does. */
  readonly waysOf: (one: Case) => readonly string[];
  /** For one case, and for starting. */
  readonly limitSeconds: number;
}

export interface WorkerProcess {
  /** Starts it and gives what it says first. Throws when it does not start. */
  start(): Promise<Hello>;
  /** Never throws: a failure is a result. */
  ask(one: Case): Promise<readonly Result[]>;
  /** Resolves when the process has ended. */
  end(): Promise<void>;
}

interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly lines: AsyncIterator<string>;
  readonly reader: Interface;
  /** Its last words, and what it ended with. */
  readonly ended: Promise<string>;
}

export function workerProcess({ command, waysOf, limitSeconds }: WorkerOptions): WorkerProcess {
  let running: Running | undefined;
  const stop = async (): Promise<void> => {
    if (!running) return;
    const { child, reader, ended } = running;
    running = undefined;
    child.stdin.end();
    const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
    await ended;
    clearTimeout(timer);
    reader.close();
  };
  /** The next line, or why there is none. */
  const nextLine = async ({ child, lines, ended }: Running): Promise<string> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        child.kill("SIGKILL");
        reject(new Error(`no answer within ${limitSeconds} s`));
      }, limitSeconds * 1000);
    });
    try {
      const next = await Promise.race([lines.next(), late]);
      if (next.done === true) throw new Error(await ended);
      return next.value;
    } finally {
      clearTimeout(timer);
    }
  };
  const begin = async (): Promise<Hello> => {
    running = spawnWorker(command);
    return JSON.parse(await nextLine(running)) as Hello;
  };
  return {
    async start() {
      try {
        return await begin();
      } catch (error) {
        await stop();
        throw error;
      }
    },
    async ask(one) {
      try {
        if (!running) await begin();
        running!.child.stdin.write(`${JSON.stringify(one)}\n`);
        const { results } = JSON.parse(await nextLine(running!)) as Answer;
        // A card that has failed once may fail this process for good.
        if (results.some((result) => "error" in result)) await stop();
        return results;
      } catch (cause) {
        await stop();
        const error = cause instanceof Error ? cause.message : String(cause);
        return waysOf(one).map((variant) => ({ variant, error }));
      }
    },
    end: stop,
  };
}

const LAST_WORDS = 2000;

function spawnWorker([program, ...args]: readonly [string, ...string[]]): Running {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  // A worker that is gone takes no more cases; the line that it does not answer tells.
  child.stdin.on("error", () => undefined);
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-LAST_WORDS)));
  const reader = createInterface({ input: child.stdout });
  const ended = new Promise<string>((resolve) => {
    child.on("error", (error) => resolve(`${program} cannot be run: ${error.message}`));
    child.on("close", (code, signal) => {
      const words = said.trim().split("\n").slice(-3).join(" | ");
      resolve(`the worker ended with ${signal ?? `exit code ${code}`}${words === "" ? "" : `: ${words}`}`);
    });
  });
  return { child, reader, lines: reader[Symbol.asyncIterator](), ended };
}
