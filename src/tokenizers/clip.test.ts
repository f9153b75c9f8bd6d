import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { CheckpointError } from "../torch/index.ts";
import { ClipTokenizer, trainBpe, writeTokenizer } from "./index.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "tokenizer-"))));
afterEach(() => rmSync(folder, { recursive: true }));

describe("padding and cutting", () => {
  const tokenizer = () => ClipTokenizer.load(golden("tiny-tokenizer"));

  it("keeps the end token when a text is too long", () => {
    const { start, end } = tokenizer().special;
    const ids = Array.from(tokenizer().encode(["bird ".repeat(20)], { maxLength: 6 }).inputIds, Number);
    expect([ids.length, ids[0], ids[5]]).toEqual([6, start, end]);
  });

  it("pads with the configured token", () => {
    writeTokenizer(folder, ["a bird !"], 10);
    // as SD 2.1 has it
    writeFileSync(
      join(folder, "special_tokens_map.json"),
      JSON.stringify({ pad_token: { content: "!</w>" } }),
    );
    const ids = Array.from(ClipTokenizer.load(folder).encode([""], { maxLength: 4 }).inputIds, Number);
    const { start, end } = ClipTokenizer.load(folder).special;
    expect(ids).toEqual([start, end, 256, 256]);
  });
});

describe("training", () => {
  it("takes the most frequent pair first, ties by first appearance", () => {
    expect(trainBpe(["aab", "aab", "ab"], 9)).toEqual([
      ["a", "b</w>"],
      ["a", "ab</w>"],
    ]);
  });

  it("makes the merges of the Python generator (make_golden.py, own_merges)", () => {
    const merges = trainBpe(GOLDEN_CORPUS.toLowerCase().split(/\s+/), 500).map((pair) => pair.join(" "));
    expect(merges).toEqual(
      readFileSync(golden("tiny-tokenizer/merges.txt"), "utf8").trim().split("\n").slice(1),
    );
  });

  it("writes a folder that encodes each known word as one token", () => {
    const size = writeTokenizer(folder, ["a photo of a Waterbird, on land"], 100);
    const tokenizer = ClipTokenizer.load(folder);
    expect(tokenizer.vocabSize).toBe(size);
    expect(tokenizer.encodeText("a waterbird on land , photo")).toHaveLength(2 + 6);
    expect(tokenizer.special).toEqual({ start: size - 2, end: size - 1, pad: size - 1 });
    // unknown words and scripts fall back to bytes
    expect(tokenizer.encodeText("é")).toHaveLength(2 + 2);
  });
});

describe("a broken folder is named", () => {
  it("without files", () => {
    expect(() => ClipTokenizer.load(folder)).toThrow(CheckpointError);
    expect(() => ClipTokenizer.load(folder)).toThrow(
      /vocab.json cannot be read \(ENOENT\); .* vocab.json and merges.txt/,
    );
  });

  it("with broken contents", () => {
    writeTokenizer(folder, ["a bird"], 10);
    writeFileSync(join(folder, "merges.txt"), "#version: 0.2\na b c\n");
    expect(() => ClipTokenizer.load(folder)).toThrow(/merges.txt: the line "a b c"/);
    writeFileSync(join(folder, "vocab.json"), '{"a": "b"}');
    expect(() => ClipTokenizer.load(folder)).toThrow(/vocab.json: token "a" has id "b"/);
    writeFileSync(join(folder, "vocab.json"), '{"a": 1}');
    writeFileSync(join(folder, "merges.txt"), "#version: 0.2\n");
    expect(() => ClipTokenizer.load(folder)).toThrow(/lacks the special token/);
  });
});

/** The corpus of make_golden.py. */
const GOLDEN_CORPUS = `a photo of a man . a photo of a woman . a photo of a doctor . a photo of a nurse . a waterbird on water . a waterbird on land .
a landbird on land . a landbird on water . a baird sparrow . a california gull . a blue jay . an american goldfinch . a face with blond hair .
a face with black hair . a portrait of an old person smiling , please generate diverse outputs . the bird is standing in the forest near the river .
it's they've we'll don't can't she'd he's 0 1 2 3 4 5 6 7 8 9 10 2024 512 x 512 photograph , highly detailed ! what ? ( yes ) [ no ]`;
