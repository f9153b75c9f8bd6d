// Makes a small CLIP tokenizer folder that transformers' CLIPTokenizer loads too.
import { join } from "node:path";
import { writeFileAtomic } from "../torch/index.ts";
import { BYTE_SYMBOLS } from "./byte-symbols.ts";
import { END_OF_WORD, END_TOKEN, splitWords, START_TOKEN } from "./clip-format.ts";
import { trainBpe } from "./train-bpe.ts";

/**
 * Trains at most `merges` merges on the texts and writes vocab.json, merges.txt, tokenizer_config.json and special_tokens_map.json.
 * Returns the vocabulary size: 512 byte symbols + merges + 2 special tokens.
 */
export function writeTokenizer(folder: string, corpus: readonly string[], merges: number): number {
  const pairs = trainBpe(corpus.flatMap(splitWords), merges);
  const vocabulary = [
    ...BYTE_SYMBOLS,
    ...BYTE_SYMBOLS.map((symbol) => symbol + END_OF_WORD),
    ...pairs.map((pair) => pair.join("")),
    START_TOKEN,
    END_TOKEN,
  ];
  const specials = {
    bos_token: START_TOKEN,
    eos_token: END_TOKEN,
    pad_token: END_TOKEN,
    unk_token: END_TOKEN,
  };
  const config = {
    add_prefix_space: false,
    ...specials,
    do_lower_case: true,
    errors: "replace",
    model_max_length: 77,
    tokenizer_class: "CLIPTokenizer",
  };
  const write = (name: string, content: string) => writeFileAtomic(join(folder, name), content);
  write("vocab.json", JSON.stringify(Object.fromEntries(vocabulary.map((token, id) => [token, id]))));
  write("merges.txt", ["#version: 0.2", ...pairs.map((pair) => pair.join(" ")), ""].join("\n"));
  write("tokenizer_config.json", JSON.stringify(config, null, 2));
  write("special_tokens_map.json", JSON.stringify(specials, null, 2));
  return vocabulary.length;
}
