/** Results kept for those who ask again, the ones used last and no more than a given sum of sizes. */

interface Kept<T> {
  readonly value: Promise<T>;
  readonly size: number;
}

export class Recent<T> {
  readonly #limit: number;
  // In the order of last use.
  readonly #kept = new Map<string, Kept<T>>();
  #total = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Sum of the sizes that are kept. */
  get total(): number {
    return this.#total;
  }

  /** The result for a key, made once for all who ask at the same time; failures are not kept. */
  get(key: string, make: () => Promise<T>, size: number): Promise<T> {
    const before = this.#kept.get(key);
    if (before) {
      this.#kept.delete(key);
      this.#kept.set(key, before);
      return before.value;
    }
    const entry = { value: make(), size };
    this.#kept.set(key, entry);
    this.#total += size;
    entry.value.catch(() => {
      if (this.#kept.get(key) === entry) this.#drop(key, entry);
    });
    for (const [oldest, kept] of this.#kept) {
      // The newest is needed now, however large it is.
      if (this.#total <= this.#limit || oldest === key) break;
      this.#drop(oldest, kept);
    }
    return entry.value;
  }

  #drop(key: string, { size }: Kept<T>): void {
    this.#kept.delete(key);
    this.#total -= size;
  }
}
