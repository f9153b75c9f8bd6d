// Judges what one input does to its readers.
import { InvDiffError } from "../../src/torch/index.ts";
import { runInput } from "./kinds.ts";

export interface Outcome {
  /** "accepted", the name of the error that refused the input, or "other". */
  readonly name: string;
  /** For "other": the error and where it was thrown. */
  readonly bug?: string;
}

/** Only errors of the user's kind are right: whatever is wrong here is wrong in a file. */
export function tryInput(kind: string, folder: string, at: { seed: number; number: number }): Outcome {
  try {
    runInput(kind, folder, at);
    return { name: "accepted" };
  } catch (error) {
    if (error instanceof InvDiffError && error.kind === "user") return { name: error.name };
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { name: "other", bug: stack.split("\n").slice(0, 4).join("\n") };
  }
}
