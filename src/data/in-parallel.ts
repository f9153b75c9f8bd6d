/** Work that waits for disks and threads, a few pieces at a time. */

/**
 * Calls `work` for 0..count-1 in order, at most `limit` at once. After a failure nothing further is begun; the first error is
 * thrown. Errors: the signal's reason, before the next piece; those of `work`.
 */
export async function inParallel(
  count: number,
  { limit, signal }: { readonly limit: number; readonly signal?: AbortSignal | undefined },
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    try {
      while (next < count) {
        signal?.throwIfAborted();
        await work(next++);
      }
    } catch (error) {
      // The others stop after their piece.
      next = count;
      throw error;
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, limit) }, worker));
}
