// Vocabulary and merges out of a tokenizer.json, the only file of them that transformers 5 writes.
import { CheckpointError } from "../torch/index.ts";
import { END_OF_WORD } from "./clip-format.ts";

/**
 * The vocabulary as it stands in the file, unchecked, and the merges as lines "first second".
 * Throws CheckpointError naming `path` when the tokenizer is not one of CLIP's kind.
 */
export function vocabularyOf(
  tokenizer: Readonly<Record<string, unknown>>,
  path: string,
): { readonly vocab: Record<string, unknown>; readonly merges: string[] } {
  const { model, added_tokens: added = [] } = tokenizer;
  const fail = (what: string): never => {
    throw new CheckpointError(
      `${path}: ${what}; a CLIP tokenizer is byte-pair encoding with ${END_OF_WORD} at word ends.`,
    );
  };
  if (!isObject(model)) return fail("it has no model");
  const { type, end_of_word_suffix: suffix, vocab, merges } = model;
  if (type !== "BPE") return fail(`its model has type ${JSON.stringify(type)}`);
  if (suffix !== END_OF_WORD) return fail(`its end_of_word_suffix is ${JSON.stringify(suffix)}`);
  if (!isObject(vocab)) return fail("its vocabulary is missing");
  if (!Array.isArray(merges)) return fail("its merges are missing");
  const special = Array.isArray(added) ? (added as unknown[]).filter(isObject) : [];
  return {
    // Tokens that were added after training stand beside the model.
    vocab: { ...Object.fromEntries(special.map(({ content, id }) => [String(content), id])), ...vocab },
    merges: (merges as unknown[]).map((merge) => line(merge) ?? fail(`${JSON.stringify(merge)} is no merge`)),
  };
}

/** Older files have lines, newer ones pairs. */
function line(merge: unknown): string | undefined {
  const pair = typeof merge === "string" ? merge.split(" ") : merge;
  const symbols = Array.isArray(pair) && pair.length === 2 ? (pair as unknown[]) : [];
  const valid =
    symbols.length === 2 && symbols.every((symbol) => typeof symbol === "string" && /^[^ ]+$/.test(symbol));
  return valid ? symbols.join(" ") : undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
