import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { CheckpointError } from "../torch/index.ts";
import { ClipTokenizer } from "./index.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "tokenizer-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const tiny = (name: string) => readFileSync(golden(`tiny-tokenizer/${name}`), "utf8");
const MERGES = tiny("merges.txt").trim().split("\n").slice(1);
const MODEL = { type: "BPE", end_of_word_suffix: "</w>", vocab: JSON.parse(tiny("vocab.json")) as object };
const put = (content: unknown) => writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(content));

const texts = [
  "a photo of a waterbird on land",
  "  A   PHOTO\tof  a NURSE ",
  "it's 2024 , isn't it ?",
  "é ü 中 🐦",
  "",
  "word ".repeat(100),
];

describe("tokenizer.json alone, as transformers 5 writes it", () => {
  it.each([
    ["pairs", MERGES.map((merge) => merge.split(" "))],
    ["lines", MERGES],
  ])("with merges as %s gives the ids of vocab.json and merges.txt", (_form, merges) => {
    put({ added_tokens: [], model: { ...MODEL, merges } });
    const [whole, parts] = [ClipTokenizer.load(folder), ClipTokenizer.load(golden("tiny-tokenizer"))];
    expect(whole.encode(texts)).toEqual(parts.encode(texts));
    expect([whole.vocabSize, whole.special]).toEqual([parts.vocabSize, parts.special]);
  });

  it("may hold tokens beside the model's own", () => {
    const { "<|endoftext|>": end, ...vocab } = MODEL.vocab as Record<string, number>;
    put({
      added_tokens: [{ id: end, content: "<|endoftext|>" }],
      model: { ...MODEL, vocab, merges: MERGES },
    });
    expect(ClipTokenizer.load(folder).special.end).toBe(end);
  });

  it("gives way to vocab.json", () => {
    put({ model: null });
    for (const name of ["vocab.json", "merges.txt"]) writeFileSync(join(folder, name), tiny(name));
    expect(ClipTokenizer.load(folder).encode(texts)).toEqual(
      ClipTokenizer.load(golden("tiny-tokenizer")).encode(texts),
    );
  });

  it.each([
    [{}, /tokenizer.json: it has no model; a CLIP tokenizer is byte-pair encoding/],
    [{ model: { ...MODEL, type: "WordPiece" } }, /its model has type "WordPiece"/],
    [{ model: { ...MODEL, end_of_word_suffix: null } }, /its end_of_word_suffix is null/],
    [{ model: { ...MODEL, vocab: [] } }, /its vocabulary is missing/],
    [{ model: MODEL }, /its merges are missing/],
    [{ model: { ...MODEL, merges: ["a b", "a b c"] } }, /"a b c" is no merge/],
    [
      {
        model: {
          ...MODEL,
          merges: [
            ["a", "b"],
            ["a", 1],
          ],
        },
      },
      /\["a",1\] is no merge/,
    ],
    [{ model: { ...MODEL, vocab: { a: "b" }, merges: [] } }, /tokenizer.json: token "a" has id "b"/],
  ])("%j is refused", (content, message) => {
    put(content);
    expect(() => ClipTokenizer.load(folder)).toThrow(CheckpointError);
    expect(() => ClipTokenizer.load(folder)).toThrow(message);
  });
});
