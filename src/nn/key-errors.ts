/** One message for everything that does not fit between a checkpoint and a model. */

export interface KeyProblems {
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
  readonly mismatched: readonly string[];
}

/** The message listing every problem, or undefined when there is none. */
export function keyErrors({ missing, unexpected, mismatched }: KeyProblems): string | undefined {
  const part = (title: string, keys: readonly string[]) =>
    keys.length === 0 ? [] : [`${keys.length} ${title}:`, ...keys.map((key) => `  ${key}`)];
  const lines = [
    ...part("missing keys (the model needs them)", missing),
    ...part("unexpected keys (the model has no such parameter)", unexpected),
    ...part("keys with another shape", mismatched),
  ];
  if (lines.length === 0) return undefined;
  return `The checkpoint does not fit the model's configuration.\n${lines.join("\n")}\nCheck that weights and config.json belong together.`;
}
