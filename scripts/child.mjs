// Child processes of the set-up, and what must be undone when it is interrupted.
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";

const children = new Set();
const cleanups = new Set();
let interrupted = false;

/**
 * Runs a command; resolves with its exit code and output. With `show`, its output goes to the terminal as well, with
 * `onText` to a function. After `limitMs` it is ended with all that it started; `timedOut` tells so.
 */
export function run(command, args, { cwd, show = false, onText, limitMs, env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    // An own process group, so that an interruption reaches what a wrapper (pyenv, npm) started as well.
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    children.add(child);
    let output = "";
    let timedOut = false;
    const end = () => {
      timedOut = true;
      killGroup(child, "SIGKILL");
    };
    const timer = limitMs === undefined ? undefined : setTimeout(end, limitMs);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (chunk) => {
        output += chunk;
        onText?.(chunk);
        if (show) process.stderr.write(chunk);
      });
    }
    child.on("error", (error) => {
      children.delete(child);
      clearTimeout(timer);
      reject(error);
    });
    child.on("close", (code, signal) => {
      children.delete(child);
      clearTimeout(timer);
      // After an interruption the process is about to end; nobody may go on with the next step.
      if (!interrupted) resolve({ code: code ?? 1, signal, output, timedOut });
    });
  });
}

/** The last lines of a long output. */
export const tail = (text, lines = 15) => text.trimEnd().split("\n").slice(-lines).join("\n");

/** Calls `undo` when the process ends before the returned function is called. */
export function undoOnExit(undo) {
  cleanups.add(undo);
  return () => cleanups.delete(undo);
}

/** Runs `work` with a temporary path that is removed afterwards, also on Ctrl-C. */
export async function withTemporary(path, work) {
  const remove = () => rmSync(path, { recursive: true, force: true });
  const keep = undoOnExit(remove);
  try {
    return await work(path);
  } finally {
    remove();
    keep();
  }
}

function killGroup(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It ended meanwhile.
  }
}

/** Makes Ctrl-C and SIGTERM stop the children, undo what is half done, say so, and end with the usual exit code. */
export function handleSignals(what = "set-up", consequence = "the next start goes on from here") {
  process.on("exit", () => {
    for (const undo of cleanups) {
      try {
        undo();
      } catch {
        // The next start removes what is left over.
      }
    }
  });
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ]) {
    process.once(signal, () => {
      interrupted = true;
      process.stderr.write(`\n${what} interrupted (${signal}); ${consequence}\n`);
      for (const child of children) killGroup(child, signal);
      const started = Date.now();
      const timer = setInterval(() => {
        if (children.size > 0 && Date.now() - started < 3000) return;
        for (const child of children) killGroup(child, "SIGKILL");
        clearInterval(timer);
        process.exit(code);
      }, 50);
    });
  }
}
