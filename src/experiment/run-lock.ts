// One run at a time per experiment folder: a lock file that names its owner and is taken over when the owner is gone.
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { UserError } from "../torch/errors.ts";

export const LOCK = ".lock";

interface Owner {
  pid: number;
  host: string;
  /** Start of the process in clock ticks, so that a pid used again is not taken for the owner; "" where unknown. */
  started: string;
}

function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}

/** What `pid` writes into the lock. */
export const ownerText = (pid = process.pid): string =>
  JSON.stringify({ pid, host: hostname(), started: startOf(pid) } satisfies Owner);

/** True when the process that a lock names cannot be running any more; unreadable text counts as gone. */
export function isStale(text: string): boolean {
  let owner: Partial<Owner> | null;
  try {
    owner = JSON.parse(text) as Partial<Owner> | null;
  } catch {
    return true;
  }
  if (typeof owner?.pid !== "number" || !Number.isInteger(owner.pid)) return true;
  if (owner.host !== hostname()) return false;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
  return owner.started !== startOf(owner.pid);
}

/**
 * Takes the lock of an experiment folder; disposing gives it back, and so does the end of the process.
 * Errors: UserError that names the owner when another run holds it.
 */
export function lockFolder(folder: string): Disposable {
  const path = join(folder, LOCK);
  for (let attempt = 0; !tryLock(path); attempt++) {
    const text = readLock(path);
    if (text === undefined) continue;
    if (attempt > 100 || !isStale(text))
      throw new UserError(
        `${folder} is in use by another run (${text}). Wait for its end, or choose another output folder. ` +
          `If no such process runs any more, delete ${path}.`,
      );
    // Renaming first makes sure that of two runs that see the stale lock only one removes it.
    const aside = `${path}.stale-${process.pid}`;
    try {
      renameSync(path, aside);
      rmSync(aside, { force: true });
    } catch {
      // The other run was faster; the next attempt sees its lock.
    }
  }
  const release = () => rmSync(path, { force: true });
  process.once("exit", release);
  return {
    [Symbol.dispose]() {
      process.off("exit", release);
      release();
    },
  };
}

/** The file appears with its content (a link to a finished file), never empty. */
function tryLock(path: string): boolean {
  const temporary = `${path}.tmp-${process.pid}`;
  writeFileSync(temporary, ownerText());
  try {
    linkSync(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  } finally {
    rmSync(temporary, { force: true });
  }
}

function readLock(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
