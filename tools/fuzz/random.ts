// Random choices that a seed and an input's number repeat exactly, on any machine.

export interface Random {
  /** A whole number in [0, below). */
  readonly int: (below: number) => number;
  readonly chance: (probability: number) => boolean;
  readonly pick: <T>(list: readonly T[]) => T;
}

/** Mulberry32 on a hash (FNV-1a) of the words. */
export function makeRandom(...words: readonly (string | number)[]): Random {
  let state = 0x811c9dc5;
  for (const char of words.join("/")) state = Math.imul(state ^ char.codePointAt(0)!, 0x01000193);
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (below: number) => Math.floor(next() * below);
  return {
    int,
    chance: (probability) => next() < probability,
    pick: (list) => list[int(list.length)]!,
  };
}

/** Numbers at which something usually changes. */
export const INTERESTING = [
  ...[0n, 1n, 2n, 7n, 8n, 15n, 16n, 63n, 64n, 127n, 128n, 200n, 201n, 255n, 256n, 65535n, 65536n],
  ...[2n ** 24n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 40n, 2n ** 53n - 1n, 2n ** 53n],
  ...[2n ** 62n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n],
] as const;
