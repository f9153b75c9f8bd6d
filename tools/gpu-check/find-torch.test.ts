// Which Python is asked, and what is said when its torch cannot do what was wanted.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parseOptions } from "./arguments.ts";
import { candidates, type FoundTorch, problemOf } from "./find-torch.ts";

const folder = mkdtempSync(join(tmpdir(), "invdiff-find-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("candidates", () => {
  it("are the active environments first, and nothing else when one is named", () => {
    mkdirSync(join(folder, "bin"));
    writeFileSync(join(folder, "bin/python"), "");
    const env = { VIRTUAL_ENV: folder, CONDA_PREFIX: join(folder, "gone") };
    expect(candidates(undefined, env)).toEqual([join(folder, "bin/python"), "python3", "python"]);
    expect(candidates(undefined, {})).toEqual(["python3", "python"]);
    expect(candidates("mine", env)).toEqual(["mine"]);
  });
});

describe("problemOf", () => {
  const library = { path: "torch", version: "2.11.0+cu130", cxx11Abi: true, source: "python" } as const;
  const python = { executable: "python3", python: "3.12.1" };
  const withCuda: FoundTorch = { ...python, libtorch: { ...library, cuda: "13.0" } };
  const card = { name: "H100", capability: "9.0", freeBytes: 1, totalBytes: 2 };

  it("has nothing against a card that is there, or a torch that only cannot be imported", () => {
    expect(problemOf("cuda", { ...withCuda, cards: [card] })).toBeUndefined();
    expect(problemOf("cuda", { ...withCuda, importError: "no numpy" })).toBeUndefined();
    expect(problemOf("cpu", { ...withCuda, cards: [], cudaError: "none" })).toBeUndefined();
  });

  it("tells a build without CUDA from a host without a card, and what to do", () => {
    const without = { ...python, libtorch: { ...library, cuda: null }, cards: [] };
    expect(problemOf("cuda", without)).toMatch(/build without CUDA.*Install one with CUDA.*--device cpu/s);
    const text = problemOf("cuda", { ...withCuda, cards: [], cudaError: "Found no NVIDIA driver" });
    expect(text).toMatch(/2\.11\.0\+cu130 sees no CUDA card: Found no NVIDIA driver.*driver.*--device cpu/s);
  });
});

describe("parseOptions", () => {
  it("has a card as its default", () => {
    expect(parseOptions([])).toMatchObject({
      device: "cuda",
      quick: false,
      skipBench: false,
      out: undefined,
    });
    expect(parseOptions(["--help"])).toBeUndefined();
  });

  it.each([
    [["--device", "tpu"], /--device is tpu; expected cuda or cpu/],
    [["--devise"], /--devise.*--help/s],
    [["--out"], /--out.*--help/s],
  ])("refuses %j", (args, message) => {
    expect(() => parseOptions(args)).toThrow(message);
  });
});
