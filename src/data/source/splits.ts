/** Names of a data set's parts, with the spellings that the Hugging Face datasets library knows. */
const SPELLINGS: Readonly<Record<string, readonly string[]>> = {
  train: ["train", "training"],
  validation: ["validation", "valid", "val", "dev"],
  test: ["test", "testing", "eval", "evaluation"],
};

/** Every spelling with the name it stands for. */
export const spellings = (): [name: string, spelling: string][] =>
  Object.entries(SPELLINGS).flatMap(([name, all]) =>
    all.map((spelling): [string, string] => [name, spelling]),
  );

/** "train", "validation" or "test" for a name that is one of its spellings. */
export function splitName(name: string): string | undefined {
  const lower = name.toLowerCase();
  return Object.entries(SPELLINGS).find(([, spellings]) => spellings.includes(lower))?.[0];
}

/** The split in a file's name such as "my_train.data": a spelling that stands alone between signs. */
export function splitInName(name: string): string | undefined {
  for (const word of name.split(/[-._ 0-9]+/)) {
    const split = splitName(word);
    if (split !== undefined) return split;
  }
  return undefined;
}
