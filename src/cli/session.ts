// Long work in a terminal: Ctrl-C, progress, and a word about resuming.
import { type Progress, InterruptedError, listenForInterrupts } from "../experiment/index.ts";
import { commandLine, resumingArgs } from "./command-line.ts";
import { StoppedError } from "./failure.ts";
import { ProgressPrinter } from "./progress-printer.ts";

export interface Session {
  signal: AbortSignal;
  progress: (progress: Progress) => void;
  /** Prints a line to stderr, above the progress bar if there is one. */
  note: (text: string) => void;
}

/**
 * Runs `work` with a signal that Ctrl-C aborts and with progress on stderr.
 * Errors: StoppedError when it was interrupted, after saying how to go on; else what `work` throws.
 */
export async function session(work: (session: Session) => Promise<void>): Promise<void> {
  const printer = new ProgressPrinter();
  const note = (text: string) => printer.note(text);
  using interrupts = listenForInterrupts(() =>
    note("Stopping: what is done is saved. Press Ctrl-C again to stop at once."),
  );
  const { signal } = interrupts;
  try {
    await work({ signal, progress: (progress) => printer.show(progress), note });
    printer.end();
  } catch (error) {
    printer.end();
    if (!signal.aborted || !isInterruption(error, signal)) throw error;
    note(`Stopped. To go on from here, run the same command again:\n  ${commandLine(resumingArgs())}`);
    throw new StoppedError("stopped", { cause: error });
  }
}

const isInterruption = (error: unknown, signal: AbortSignal): boolean =>
  error === signal.reason ||
  error instanceof InterruptedError ||
  (error instanceof Error && (error.name === "AbortError" || isInterruption(error.cause ?? null, signal)));
