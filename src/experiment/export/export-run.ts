// An export from request to folder: written beside, then renamed, so that a half-written model is never found.
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { removeDir, scope, temporaryName, UserError, writeFileAtomic } from "../../torch/index.ts";
import { diskFullError, isDiskFull } from "../disk-full.ts";
import { prepareEngine } from "../engine.ts";
import { isMarked, visibleNames } from "../out-folder.ts";
import { resolveThreads } from "../threads.ts";
import { packageVersion } from "../versions.ts";
import type { ExportForm, ExportRequest, ExportResult } from "./request.ts";
import { type ExportSource, openSource } from "./source.ts";
import { writeInvdiff } from "./write-invdiff.ts";
import { writeLora } from "./write-lora.ts";
import { writeMerged } from "./write-merged.ts";
import type { Writer } from "./writer.ts";

const WRITERS: Readonly<Record<ExportForm, Writer>> = {
  merged: writeMerged,
  lora: writeLora,
  invdiff: writeInvdiff,
};

/** Says of a folder that it is an export, and of what; only such a folder is ever replaced. */
const MARK = "export.json";
const FORMAT = "invdiff-export";

/**
 * Writes what a run has learnt in one of the forms that other programs read.
 * Errors: UserError when the run has nothing of the kind, when `to` is taken, when the disk is full; CheckpointError for broken files.
 */
export async function writeExport(request: ExportRequest): Promise<ExportResult> {
  const { run, to, as, dtype, strength, force = false } = request;
  const path = resolve(to);
  if (strength !== undefined && !(Number.isFinite(strength) && strength >= 0))
    throw new UserError(`strength is ${strength}; expected a number from 0 on.`);
  checkTarget(to, force);
  const source = openSource(run);
  await prepareEngine({ device: "cpu", threads: resolveThreads(source.config) });
  const temporary = temporaryName(path);
  removeDir(temporary);
  try {
    mkdirSync(temporary, { recursive: true });
    const notes = scope(() => WRITERS[as](temporary, source, { dtype, strength }));
    writeFileAtomic(join(temporary, MARK), `${JSON.stringify(markOf(request, source), null, 2)}\n`);
    publish(temporary, path);
    return { path, notes };
  } catch (error) {
    throw isDiskFull(error) ? diskFullError(error, { stage: "export", folder: path }) : error;
  } finally {
    removeDir(temporary);
  }
}

const markOf = ({ as, dtype, strength }: ExportRequest, { out, guidance }: ExportSource): object => ({
  format: FORMAT,
  version: 1,
  invdiff: packageVersion(),
  ...{ as, dtype, strength, run: resolve(out) },
  guidance: guidance && { dir: resolve(guidance.dir), ...guidance.settings },
});

/** Errors: UserError where `to` is something else than an earlier export, or `force` is missing. */
function checkTarget(to: string, force: boolean): void {
  const kind = statSync(to, { throwIfNoEntry: false });
  if (!kind) return;
  if (!kind.isDirectory())
    throw new UserError(`${to} is a file; expected a name that is free, for a new folder.`);
  if (readdirSync(to).length === 0) return;
  if (!isMarked(to, MARK, FORMAT))
    throw new UserError(
      `${to} exists and is no earlier export (it holds ${visibleNames(to).some}), so nothing is written there. Choose another folder (--to).`,
    );
  if (!force)
    throw new UserError(
      `${to} holds an earlier export. Choose another folder (--to), or replace it (--force).`,
    );
}

/** What stood at `path` steps aside first and is removed last. */
function publish(temporary: string, path: string): void {
  const old = `${path}.old-${process.pid}`;
  removeDir(old);
  if (existsSync(path)) renameSync(path, old);
  renameSync(temporary, path);
  removeDir(old);
}
