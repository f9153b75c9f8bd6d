// Trying again: how often, after which pauses, and until when.
import { setTimeout as sleep } from "node:timers/promises";
import { DownloadError, TransientError } from "./errors.ts";

export interface RetryPolicy {
  /** Failures in a row that are borne; a failure after which more bytes are there than ever before starts the count anew. */
  readonly retries: number;
  /** First pause in milliseconds; it doubles with every failure in a row. */
  readonly backoffMs: number;
  /** Longest pause that is borne, also when the server asks for a longer one. */
  readonly maxWaitMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = { retries: 5, backoffMs: 1000, maxWaitMs: 10 * 60_000 };

export interface RetryOptions {
  readonly retry?: RetryPolicy | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told in one line why and how long there is a pause. */
  readonly onNote?: ((text: string) => void) | undefined;
}

/** Counts failures in a row. `failed` pauses, or throws DownloadError when it was the last one that is borne. */
export function failureCounter({ retry = DEFAULT_RETRY, signal, onNote }: RetryOptions) {
  let failures = 0;
  return {
    progressed: (): void => {
      failures = 0;
    },
    async failed(error: TransientError): Promise<void> {
      if (failures >= retry.retries)
        throw new DownloadError(
          `${error.message}, ${failures + 1} times in a row. Nothing that has arrived is lost: run the same command again to go on.`,
          { cause: error },
        );
      const wait = error.waitMs ?? retry.backoffMs * 2 ** failures;
      failures++;
      if (error.waitMs !== undefined && error.waitMs > retry.maxWaitMs)
        throw new DownloadError(
          `${error.message} and asks to wait ${Math.ceil(error.waitMs / 60_000)} minutes. Run the same command again then; it goes on from here.`,
          { cause: error },
        );
      const pause = Math.min(wait, retry.maxWaitMs);
      onNote?.(`${error.message}; trying again in ${secondsText(pause)} (${failures} of ${retry.retries})`);
      await pausing(pause, signal);
    },
  };
}

/** Runs `work` again after transient failures. Throws DownloadError when they do not end, else what `work` throws. */
export async function retrying<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  const counter = failureCounter(options);
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      await counter.failed(error);
    }
  }
}

const secondsText = (ms: number): string =>
  `${ms < 9500 ? (ms / 1000).toPrecision(1) : Math.round(ms / 1000)} s`;

/** Waits; throws the signal's reason when it is aborted. */
export async function pausing(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
