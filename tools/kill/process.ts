// A command in a process of its own that can be killed outright.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

export interface Launch {
  /** Arguments of node up to the command's own: the program, and what it needs to be run. */
  readonly program: readonly string[];
}

export interface Process {
  readonly stderr: string;
  /** Waits until stderr matches, or the end; gives the milliseconds from the start, undefined at the end. */
  readonly until: (pattern: RegExp) => Promise<number | undefined>;
  /** Kills it after so many milliseconds, if it is still there. Errors: when it ended by itself with an error. */
  readonly killAfter: (milliseconds: number) => Promise<"killed" | "finished">;
  /** Waits for its own end. Errors: when that is not a good one, with the output. */
  readonly finish: () => Promise<void>;
}

export function launch({ program }: Launch, args: readonly string[]): Process {
  const start = performance.now();
  const child = spawn(process.execPath, [...program, ...args], {
    env: { ...process.env, OMP_NUM_THREADS: "1", NO_COLOR: "1" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  let isOver = false;
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const closed = once(child, "close").then(() => (isOver = true));
  const refuseFailure = (): void => {
    if (child.exitCode !== 0)
      throw new Error(`${args.join(" ")}\nended with ${child.exitCode ?? child.signalCode}:\n${stderr}`);
  };
  return {
    get stderr() {
      return stderr;
    },
    async until(pattern) {
      while (!pattern.test(stderr) && !isOver) await sleep(1);
      return isOver ? undefined : performance.now() - start;
    },
    async killAfter(milliseconds) {
      await Promise.race([sleep(milliseconds), closed]);
      child.kill("SIGKILL");
      await closed;
      if (child.signalCode === "SIGKILL") return "killed";
      refuseFailure();
      return "finished";
    },
    async finish() {
      await closed;
      refuseFailure();
    },
  };
}
