/** Work that waits for disks and threads, a few pieces at a time. */

/**
 * Calls `work` for 0..count-1 in order, at most `limit` at once. After a failure nothing further is begun, and the first error
 * is thrown when what was begun has ended. Errors: the signal's reason, before the next piece; those of `work`.
 */
export async function inParallel(
  count: number,
  { limit, signal }: { readonly limit: number; readonly signal?: AbortSignal | undefined },
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const errors: unknown[] = [];
  const worker = async (): Promise<void> => {
    try {
      while (next < count) {
        signal?.throwIfAborted();
        await work(next++);
      }
    } catch (error) {
      // The others stop after their piece.
      next = count;
      errors.push(error);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, limit) }, worker));
  if (errors.length > 0) throw errors[0];
}
