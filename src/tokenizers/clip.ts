// CLIP's byte-pair tokenizer, from the files of a diffusers `tokenizer/` folder.
// Reference: transformers models/clip/tokenization_clip.py; ids are equal to it, padding and truncation included.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer as HubTokenizer } from "@huggingface/tokenizers";
import { CheckpointError } from "../torch/index.ts";
import { END_OF_WORD, END_TOKEN, START_TOKEN, WORD_PATTERN } from "./clip-format.ts";
import { vocabularyOf } from "./tokenizer-json.ts";

/** The part of the library's class that is used; its own declarations do not resolve under nodenext. */
interface BpeEncoder {
  encode(text: string, options?: { add_special_tokens?: boolean }): { ids: number[] };
}

export interface TokenBatch {
  /** Row-major [texts, maxLength]. */
  inputIds: BigInt64Array;
  shape: [number, number];
}

interface SpecialIds {
  start: number;
  end: number;
  pad: number;
}

/** Texts to token ids, padded or cut to one length. */
export class ClipTokenizer {
  readonly vocabSize: number;
  readonly modelMaxLength: number;
  readonly special: Readonly<SpecialIds>;
  private readonly encoder: BpeEncoder;

  /** From the parsed files; use `ClipTokenizer.load` for a folder. */
  constructor(files: {
    vocab: Record<string, number>;
    merges: string[];
    specialTokens: SpecialTokens;
    modelMaxLength?: number;
  }) {
    const { vocab, merges, specialTokens, modelMaxLength = 77 } = files;
    const id = (token: string) => {
      if (!Object.hasOwn(vocab, token))
        throw new CheckpointError(`The vocabulary lacks the special token ${token}.`);
      return vocab[token]!;
    };
    this.special = { start: id(specialTokens.bos), end: id(specialTokens.eos), pad: id(specialTokens.pad) };
    this.vocabSize = Object.keys(vocab).length;
    this.modelMaxLength = modelMaxLength;
    const Encoder = HubTokenizer as unknown as new (tokenizer: object, config: object) => BpeEncoder;
    this.encoder = new Encoder(definition(vocab, merges, specialTokens), {});
  }

  /**
   * Reads vocab.json and merges.txt, or in their place tokenizer.json (and the optional configuration files).
   * Throws CheckpointError when one is missing or broken.
   */
  static load(folder: string): ClipTokenizer {
    const config = {
      ...readObject(folder, "tokenizer_config.json"),
      ...readObject(folder, "special_tokens_map.json"),
    };
    const maximum = config.model_max_length;
    return new ClipTokenizer({
      ...readVocabulary(folder),
      specialTokens: {
        bos: tokenText(config.bos_token, START_TOKEN),
        eos: tokenText(config.eos_token, END_TOKEN),
        pad: tokenText(config.pad_token, END_TOKEN),
        unk: tokenText(config.unk_token, END_TOKEN),
      },
      // transformers writes 1e30 for "no limit"
      modelMaxLength: typeof maximum === "number" && maximum < 1e6 ? maximum : undefined,
    });
  }

  /** Ids of one text between its start and end tokens, neither padded nor cut. */
  encodeText(text: string): number[] {
    return [
      this.special.start,
      ...this.encoder.encode(text, { add_special_tokens: false }).ids,
      this.special.end,
    ];
  }

  /** Ids of all texts, [texts, maxLength]: longer ones keep their end token, shorter ones are padded on the right. */
  encode(texts: readonly string[], options: { maxLength?: number } = {}): TokenBatch {
    const { maxLength = this.modelMaxLength } = options;
    const inputIds = new BigInt64Array(texts.length * maxLength).fill(BigInt(this.special.pad));
    texts.forEach((text, row) => {
      const ids = this.encodeText(text);
      if (ids.length > maxLength) ids.splice(maxLength - 1, ids.length, this.special.end);
      inputIds.set(ids.map(BigInt), row * maxLength);
    });
    return { inputIds, shape: [texts.length, maxLength] };
  }
}

interface SpecialTokens {
  bos: string;
  eos: string;
  pad: string;
  unk: string;
}

/** The `tokenizer.json` that transformers would build from the same files. */
function definition(
  vocab: Record<string, number>,
  merges: string[],
  { bos, eos, pad, unk }: SpecialTokens,
): object {
  const added = [...new Set([bos, eos, unk, pad])].map((content) => ({
    id: vocab[content],
    content,
    special: true,
    normalized: false,
    single_word: false,
    lstrip: false,
    rstrip: false,
  }));
  return {
    added_tokens: added,
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "NFC" },
        { type: "Replace", pattern: { Regex: "\\s+" }, content: " " },
        { type: "Lowercase" },
      ],
    },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: WORD_PATTERN }, behavior: "Removed", invert: true },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: "ByteLevel" },
    model: {
      type: "BPE",
      unk_token: unk,
      continuing_subword_prefix: "",
      end_of_word_suffix: END_OF_WORD,
      fuse_unk: false,
      vocab,
      merges,
    },
  };
}

/** A token is written as text or as an object with `content`. */
function tokenText(token: unknown, fallback: string): string {
  if (typeof token === "string") return token;
  const content = (token as { content?: unknown } | null | undefined)?.content;
  return typeof content === "string" ? content : fallback;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new CheckpointError(
      `${path} cannot be read (${(cause as NodeJS.ErrnoException).code}); a CLIP tokenizer folder has vocab.json and merges.txt, or tokenizer.json.`,
      { cause },
    );
  }
}

function parseObject(path: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(readText(path));
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause;
    throw new CheckpointError(`${path} is not valid JSON: ${(cause as Error).message}.`, { cause });
  }
  throw new CheckpointError(`${path} must hold a JSON object.`);
}

const readObject = (folder: string, name: string) =>
  existsSync(join(folder, name)) ? parseObject(join(folder, name)) : {};

function readVocabulary(folder: string): { vocab: Record<string, number>; merges: string[] } {
  const [vocabPath, whole] = [join(folder, "vocab.json"), join(folder, "tokenizer.json")];
  if (existsSync(vocabPath) || !existsSync(whole))
    return { vocab: checkIds(parseObject(vocabPath), vocabPath), merges: readMerges(folder) };
  const { vocab, merges } = vocabularyOf(parseObject(whole), whole);
  return { vocab: checkIds(vocab, whole), merges };
}

function checkIds(vocab: Record<string, unknown>, path: string): Record<string, number> {
  const broken = Object.entries(vocab).find(([, id]) => !Number.isInteger(id));
  if (broken)
    throw new CheckpointError(
      `${path}: token ${JSON.stringify(broken[0])} has id ${JSON.stringify(broken[1])}, expected an integer.`,
    );
  return vocab as Record<string, number>;
}

function readMerges(folder: string): string[] {
  const path = join(folder, "merges.txt");
  const lines = readText(path)
    .split("\n")
    .map((line) => line.trimEnd());
  const merges = lines.filter((line, i) => line !== "" && !(i === 0 && line.startsWith("#version")));
  const broken = merges.find((line) => line.split(" ").length !== 2);
  if (broken !== undefined)
    throw new CheckpointError(
      `${path}: the line ${JSON.stringify(broken)} is not two symbols with a space between.`,
    );
  return merges;
}
