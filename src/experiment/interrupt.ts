// Ctrl-C: the first asks the stage to save and stop, the second ends the process at once.
import { InvDiffError } from "../torch/errors.ts";

/** The user stopped the work; not a fault. It is the reason of the abort signal and what stages throw. */
export class InterruptedError extends InvDiffError {
  override readonly kind = "user";
}

export const INTERRUPTED_EXIT_CODE = 130;

export interface Interrupts extends Disposable {
  /** Aborted with an InterruptedError at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

/**
 * Listens for SIGINT and SIGTERM until disposed; `onFirst` is told once, so that it can say what happens now.
 * Signals arrive only while the event loop turns: long synchronous work must pause for it now and then.
 */
export function listenForInterrupts(onFirst: () => void = () => {}): Interrupts {
  const controller = new AbortController();
  const listener = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(INTERRUPTED_EXIT_CODE);
    controller.abort(new InterruptedError(`Stopped by ${name === "SIGINT" ? "Ctrl-C" : name}.`));
    onFirst();
  };
  const names = ["SIGINT", "SIGTERM"] as const;
  for (const name of names) process.on(name, listener);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const name of names) process.off(name, listener);
    },
  };
}
