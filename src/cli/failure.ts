// Errors at the edge: what is printed and the exit code. 1: the user's to mend; 2: ours; 130: stopped by Ctrl-C.
import { CommanderError } from "commander";
import { InvDiffError, UserError } from "../experiment/errors.ts";

/** Faults of the environment that come straight from the system. */
const ENVIRONMENT = new Set([
  "ENOSPC",
  "EDQUOT",
  "EACCES",
  "EPERM",
  "EROFS",
  "EMFILE",
  "ENFILE",
  "ENOTDIR",
  "EISDIR",
]);

/** The command was stopped; everything there is to say has been said. */
export class StoppedError extends InvDiffError {
  override readonly kind = "user";
}

/** Text for stderr ("" when it was printed already) and the exit code. */
export function failureOf(error: unknown, { debug = false } = {}): { text: string; exitCode: number } {
  if (error instanceof CommanderError) return { text: "", exitCode: error.exitCode };
  if (error instanceof StoppedError) return { text: "", exitCode: 130 };
  const stack = debug && error instanceof Error ? `\n${stackOf(error)}` : "";
  const message = error instanceof Error ? error.message : String(error);
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (error instanceof UserError || (error instanceof InvDiffError && error.kind === "user"))
    return { text: `error: ${message}${stack}`, exitCode: 1 };
  if (code !== undefined && ENVIRONMENT.has(code))
    return { text: `error: ${message}. Check free disk space and rights.${stack}`, exitCode: 1 };
  const hint = debug
    ? ""
    : "\nThis is a fault of invdiff. Run the command again with --debug to see where it happened.";
  return { text: `error: ${message}${stack}${hint}`, exitCode: 2 };
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by: ${stackOf(error.cause)}` : "";
  return `${error.stack ?? error.message}${cause}`;
}
