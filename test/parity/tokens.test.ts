// Token ids against transformers, all of them equal. Goldens: tokens-tiny, and tokens-clip where it lies beside the project.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ClipTokenizer } from "../../src/tokenizers/index.ts";
import { golden, goldenDir } from "../golden-dir.ts";
import { within } from "./within.ts";

interface Case {
  text: string;
  ids: number[];
}

function expectSameIds(name: string, tokenizer: ClipTokenizer, file: string): void {
  const cases = JSON.parse(readFileSync(file, "utf8")) as Case[];
  expect(cases.length).toBeGreaterThan(200);
  const { inputIds, shape } = tokenizer.encode(cases.map(({ text }) => text));
  expect(shape).toEqual([cases.length, 77]);
  cases.forEach(({ text, ids }, i) => {
    const own = Array.from(inputIds.subarray(i * 77, (i + 1) * 77), Number);
    within(name, JSON.stringify(text).slice(0, 40), own.filter((id, j) => id !== ids[j]).length, 0);
  });
}

describe("token ids", () => {
  it("with a small vocabulary", () => {
    expectSameIds("tokens-tiny", ClipTokenizer.load(golden("tiny-tokenizer")), golden("tokens-tiny.json"));
  });

  // CLIP's own vocabulary is not part of the repository: it lies where the goldens were made.
  const beside = fileURLToPath(new URL("../../../shared/golden", import.meta.url));
  const folder = [goldenDir(), beside].find((path) => existsSync(join(path, "tokens-clip.json")));
  it.skipIf(folder === undefined)(
    "with CLIP's vocabulary (skipped where tokens-clip.json and clip-tokenizer/ are not there)",
    () => {
      const tokenizer = ClipTokenizer.load(join(folder!, "clip-tokenizer"));
      expectSameIds("tokens-clip", tokenizer, join(folder!, "tokens-clip.json"));
    },
  );
});
