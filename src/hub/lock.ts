// One writer at a time per unfinished file, between processes too: a lock file that its owner keeps fresh.
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { isAlive } from "../torch/atomic-file.ts";
import { pausing } from "./retry.ts";

const FRESHEN_MS = 20_000;
/** Without a sign of life for this long an owner counts as gone, on whatever machine it is. */
const STALE_MS = 120_000;

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told once when another process has the lock. */
  readonly onWait?: (() => void) | undefined;
  readonly pollMs?: number;
}

/**
 * Runs `work` while no other process holds `path`; waits until then. The lock only saves double work: what is fetched is checked
 * before it is put into place, whoever wrote it.
 */
export async function withLock<T>(
  path: string,
  { signal, onWait, pollMs = 300 }: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  for (let waited = false; !(await tryLock(path)); waited = true) {
    signal?.throwIfAborted();
    if (await isStale(path)) {
      // Of several that see the stale lock only one renames it.
      const aside = `${path}.stale-${process.pid}`;
      await rename(path, aside).then(
        () => rm(aside, { force: true }),
        () => undefined,
      );
      continue;
    }
    if (!waited) onWait?.();
    await pausing(pollMs, signal);
  }
  const fresh = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, FRESHEN_MS).unref();
  try {
    return await work();
  } finally {
    clearInterval(fresh);
    await rm(path, { force: true });
  }
}

async function tryLock(path: string): Promise<boolean> {
  try {
    await writeFile(path, JSON.stringify({ pid: process.pid, host: hostname() }), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function isStale(path: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > STALE_MS) return true;
    const { pid, host } = JSON.parse(await readFile(path, "utf8")) as { pid?: unknown; host?: unknown };
    return host === hostname() && typeof pid === "number" && !isAlive(pid);
  } catch {
    return false; // Just given back, or being written.
  }
}
