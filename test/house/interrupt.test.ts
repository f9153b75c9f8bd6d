// Ctrl-C during the set-up: what it started ends, what was half done is gone, the exit code is the usual one.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ROOT } from "./files.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "invdiff-interrupt-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s leaves nothing half and ends with %d", async (signal, exitCode) => {
  const half = join(folder, "half");
  const lock = join(folder, "setup.lock");
  // The command is a wrapper that starts the real work, as pyenv's python3 does.
  const script = `
    import { handleSignals, run, withTemporary } from ${JSON.stringify(join(ROOT, "scripts/child.mjs"))};
    import { withLock } from ${JSON.stringify(join(ROOT, "scripts/setup-lock.mjs"))};
    handleSignals();
    await withLock(${JSON.stringify(lock)}, () => withTemporary(${JSON.stringify(half)}, async (path) => {
      await run("sh", ["-c", 'mkdir -p "$1"; echo started; sleep 60; echo next', "sh", path], { show: true });
      console.error("went on");
    }));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (said += chunk));
  while (!said.includes("started")) await once(child.stderr, "data");
  expect([existsSync(half), existsSync(lock)]).toEqual([true, true]);
  child.kill(signal);
  const [code] = (await once(child, "close")) as [number];
  expect(code).toBe(exitCode);
  expect([existsSync(half), existsSync(lock)]).toEqual([false, false]);
  expect(said).toContain(`interrupted (${signal})`);
  expect(said).not.toMatch(/went on|next$/m);
});
