// Byte-pair training (Sennrich et al. 2016, arXiv 1508.07909) for small CLIP-style vocabularies.
import { toByteSymbols } from "./byte-symbols.ts";
import { END_OF_WORD } from "./clip-format.ts";

export type Merge = readonly [left: string, right: string];

/**
 * The `count` best merges for these words (fewer when nothing is left to merge): the most frequent pair first,
 * ties by first appearance. Deterministic.
 */
export function trainBpe(words: Iterable<string>, count: number): Merge[] {
  let counted = countWords(words);
  const merges: Merge[] = [];
  while (merges.length < count) {
    const best = mostFrequentPair(counted);
    if (!best) break;
    merges.push(best);
    counted = counted.map(({ symbols, times }) => ({ symbols: applyMerge(symbols, best), times }));
  }
  return merges;
}

interface CountedWord {
  symbols: readonly string[];
  times: number;
}

function countWords(words: Iterable<string>): CountedWord[] {
  const counts = new Map<string, number>();
  for (const word of words) if (word !== "") counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].map(([word, times]) => {
    const symbols = toByteSymbols(word);
    symbols.push(symbols.pop()! + END_OF_WORD);
    return { symbols, times };
  });
}

function mostFrequentPair(words: readonly CountedWord[]): Merge | undefined {
  const pairs = new Map<string, { pair: Merge; times: number }>();
  for (const { symbols, times } of words) {
    for (let i = 0; i + 1 < symbols.length; i++) {
      const pair = [symbols[i]!, symbols[i + 1]!] as const;
      const key = pair.join(" "); // no symbol holds a space
      const known = pairs.get(key);
      if (known) known.times += times;
      else pairs.set(key, { pair, times });
    }
  }
  let best: { pair: Merge; times: number } | undefined;
  for (const candidate of pairs.values()) if (!best || candidate.times > best.times) best = candidate;
  return best?.pair;
}

function applyMerge(symbols: readonly string[], [left, right]: Merge): string[] {
  const merged: string[] = [];
  for (let i = 0; i < symbols.length; i++) {
    const joins = symbols[i] === left && symbols[i + 1] === right;
    merged.push(joins ? left + right : symbols[i]!);
    if (joins) i++;
  }
  return merged;
}
