// Several downloads at once, but not too many.

/**
 * Runs `work` on every item, at most `limit` at a time, in order. The first failure stops the others through the signal; it is
 * thrown when all have ended, so that nothing goes on behind the caller's back.
 */
export async function inTurns<T>(
  items: readonly T[],
  { limit, signal }: { limit: number; signal?: AbortSignal | undefined },
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const controller = new AbortController();
  const stop = () => controller.abort(signal?.reason);
  signal?.throwIfAborted();
  signal?.addEventListener("abort", stop, { once: true });
  const failures: unknown[] = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length && !controller.signal.aborted) {
      const item = items[next++] as T;
      try {
        await work(item, controller.signal);
      } catch (error) {
        failures.push(error);
        controller.abort(error);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.max(1, Math.min(limit, items.length)) }, worker));
  } finally {
    signal?.removeEventListener("abort", stop);
  }
  signal?.throwIfAborted();
  if (failures.length > 0) throw failures[0];
}
