/** What is made in the background while what was made before is in use. */

/**
 * What `make` gives for 0..count-1, in order; up to `ahead` of them are begun before they are asked for. After an error or when
 * the loop that asks is left, the signal of the others is aborted, and they are waited for and released.
 * Errors: those of `make`, when their turn comes.
 */
export async function* readAhead<T extends Disposable>(
  count: number,
  { ahead }: { readonly ahead: number },
  make: (index: number, signal: AbortSignal) => Promise<T>,
): AsyncGenerator<T, void, undefined> {
  const left = new AbortController();
  const begun: Promise<T>[] = [];
  let next = 0;
  try {
    for (let i = 0; i < count; i++) {
      while (next < count && begun.length <= ahead) {
        const result = make(next++, left.signal);
        // Not unhandled: the error is told when its turn comes.
        result.catch(() => undefined);
        begun.push(result);
      }
      yield await begun.shift()!;
    }
  } finally {
    left.abort();
    for (const result of await Promise.allSettled(begun))
      if (result.status === "fulfilled") result.value[Symbol.dispose]();
  }
}
