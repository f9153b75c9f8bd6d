/** One message for everything that does not fit between a checkpoint and a model. */
import { keyPatterns } from "./key-patterns.ts";

export interface KeyProblems {
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
  /** "key: what is wrong with it". */
  readonly mismatched: readonly string[];
}

/** Up to this many keys of a kind are listed one by one, more of them as patterns: all of them either way. */
const ONE_BY_ONE = 20;

/** The message listing every problem, or undefined when there is none. */
export function keyErrors({ missing, unexpected, mismatched }: KeyProblems): string | undefined {
  const lines = [
    ...part("missing keys (the model needs them)", missing),
    ...part("unexpected keys (the model has no such parameter)", unexpected),
    ...part("keys with another shape or dtype", mismatched),
  ];
  if (lines.length === 0) return undefined;
  return `The checkpoint does not fit the model's configuration.\n${lines.join("\n")}\nCheck that weights and config.json belong together.`;
}

function part(title: string, problems: readonly string[]): string[] {
  if (problems.length === 0) return [];
  if (problems.length <= ONE_BY_ONE)
    return [`${problems.length} ${title}:`, ...problems.map((problem) => `  ${problem}`)];
  return [`${problems.length} ${title}, braces stand for one key each:`, ...patterns(problems)];
}

/** Keys of the same trouble share patterns. */
function patterns(problems: readonly string[]): string[] {
  const keysOf = new Map<string, string[]>();
  for (const problem of problems) {
    const colon = problem.indexOf(": ");
    const [key, what] = colon < 0 ? [problem, ""] : [problem.slice(0, colon), problem.slice(colon)];
    const known = keysOf.get(what);
    if (known) known.push(key);
    else keysOf.set(what, [key]);
  }
  return [...keysOf].flatMap(([what, keys]) => keyPatterns(keys).map((pattern) => `  ${pattern}${what}`));
}
