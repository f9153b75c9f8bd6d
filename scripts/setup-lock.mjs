// One set-up at a time per checkout: a lock file that names its owner and is taken over when the owner is gone.
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { undoOnExit } from "./child.mjs";
import { SetupError } from "./locate-libtorch.mjs";

/** When process `pid` started (clock ticks), so that a reused pid is not taken for the owner; "" where unknown. */
function startOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}

/** This process, as written into the lock. */
export const ownerText = (pid = process.pid) =>
  JSON.stringify({ pid, host: hostname(), started: startOf(pid) });

/** True when the owner named in a lock cannot be running any more. Unreadable text counts as gone. */
export function isStale(text) {
  let owner;
  try {
    owner = JSON.parse(text);
  } catch {
    return true;
  }
  if (!Number.isInteger(owner?.pid)) return true;
  if (owner.host !== hostname()) return false;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return error.code === "ESRCH";
  }
  return owner.started !== startOf(owner.pid);
}

function readLock(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Takes the lock if it is free; false when another one holds it. The file appears with its content, never empty. */
function tryLock(path) {
  const temporary = `${path}.tmp-${process.pid}`;
  writeFileSync(temporary, ownerText());
  try {
    linkSync(temporary, path);
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    return false;
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Removes a stale lock. Renaming first makes sure that of two takers only one removes it. */
function breakLock(path, stale) {
  const aside = `${path}.stale-${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  const moved = readLock(aside);
  if (moved !== stale && moved !== undefined && !existsSync(path)) renameSync(aside, path);
  rmSync(aside, { force: true });
}

/**
 * Runs `work` while holding the lock at `path`; waits for another holder, at most `waitMs`.
 * `note` is told once when it has to wait.
 */
export async function withLock(path, work, { waitMs = 1_800_000, pollMs = 200, note = () => {} } = {}) {
  mkdirSync(dirname(path), { recursive: true });
  const start = Date.now();
  let told = false;
  while (!tryLock(path)) {
    const text = readLock(path);
    if (text === undefined) continue;
    if (isStale(text)) {
      breakLock(path, text);
      continue;
    }
    if (Date.now() - start > waitMs) {
      throw new SetupError(
        `Another set-up still holds ${path}: ${text}.\nIf none is running, delete that file and start again.`,
      );
    }
    if (!told) note(`waiting for another set-up ${text}; if none is running, delete ${path}`);
    told = true;
    await sleep(pollMs);
  }
  const release = () => rmSync(path, { force: true });
  const done = undoOnExit(release);
  try {
    return await work();
  } finally {
    release();
    done();
  }
}
