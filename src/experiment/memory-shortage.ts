// What a user is told where a device has too little memory: what was asked for, what there was, and what takes less.
import type { OutOfMemoryError } from "../torch/index.ts";
import { bytesText } from "./disk-full.ts";

/** Puts it before libtorch's own words. `what` did not fit ("The training"); `advice` are whole sentences. */
export function tellShortage(error: OutOfMemoryError, what: string, advice: string): OutOfMemoryError {
  const { device, requestedBytes: asked, freeBytes: free, totalBytes: all } = error;
  const there = [
    ...(free === undefined ? [] : [`${bytesText(free)} were free`]),
    ...(all === undefined ? [] : [`of ${bytesText(all)}`]),
  ].join(" ");
  const facts =
    asked === undefined ? "" : `: ${bytesText(asked)} more were asked for${there ? `, ${there}` : ""}`;
  error.message = `${what} does not fit into the memory of ${device ?? "its device"}${facts}. ${advice}\n${error.message}`;
  return error;
}

/**
 * Does work that makes batches; without enough memory the error names the options that take less: the batches' size, where
 * it can be smaller, and `others`.
 */
export async function inMemory<T>(
  { what, option, size, others = [] }: ShortageAdvice,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // By its name: this file loads no engine.
    if (!(error instanceof Error) || error.name !== "OutOfMemoryError") throw error;
    const options = [
      ...(size > 1 ? [`${option} ${Math.ceil(size / 2)} or less in place of ${size}`] : []),
      ...others,
    ];
    const advice =
      options.length === 0
        ? "None of its options would take less."
        : `Less is taken by ${options.join("; by ")}.`;
    throw tellShortage(error as OutOfMemoryError, what, advice);
  }
}

export interface ShortageAdvice {
  /** What does not fit, as the subject of a sentence. */
  readonly what: string;
  /** Name of the option with the size of the batches. */
  readonly option: string;
  readonly size: number;
  /** Further options, each with its value. */
  readonly others?: readonly string[];
}
