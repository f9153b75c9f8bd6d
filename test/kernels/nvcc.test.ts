// The kernels compiled for real cards, where nvcc is: no registers spilled, no local memory, loads and stores of 16 bytes.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kernelText } from "./compile-once.ts";

const hasNvcc = spawnSync("nvcc", ["--version"], { stdio: "ignore" }).status === 0;

let folder: string;
let source: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "invdiff-nvcc-"));
  source = join(folder, "kernels.cu");
  writeFileSync(source, kernelText());
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Choice = readonly [architecture: string, io: number, weight: number, vector: number];

const CHOICES: readonly Choice[] = [
  ["sm_80", 0, 0, 4],
  ["sm_80", 1, 0, 8],
  ["sm_90", 0, 0, 4],
  ["sm_90", 1, 0, 8],
  ["sm_90", 2, 2, 8],
];

/** What ptxas says of each kernel. */
function compile([architecture, io, weight, vector]: Choice): Map<string, string> {
  const defines = [`-DINVDIFF_IO=${io}`, `-DINVDIFF_WEIGHT=${weight}`, `-DINVDIFF_VECTOR=${vector}`];
  const output = ["-cubin", `-arch=${architecture}`, "-Xptxas", "-v,-Werror", "-o", join(folder, "cubin")];
  const { status, stderr } = spawnSync("nvcc", [...output, ...defines, source], { encoding: "utf8" });
  expect(status, stderr).toBe(0);
  const parts = stderr.split("Compiling entry function '").slice(1);
  return new Map(parts.map((part) => [part.slice(0, part.indexOf("'")), part]));
}

const numberBefore = (text: string, words: string): number =>
  Number(new RegExp(`(\\d+) ${words}`).exec(text)?.[1] ?? NaN);

describe.skipIf(!hasNvcc)("the group normalisation kernels under nvcc", () => {
  it.each(CHOICES)("fit %s without spilling: types %d and %d, vectors of %d", (...choice) => {
    const kernels = compile(choice);
    expect(kernels.size).toBe(9);
    for (const [kernel, said] of kernels) {
      expect(numberBefore(said, "bytes spill stores"), kernel).toBe(0);
      expect(numberBefore(said, "bytes spill loads"), kernel).toBe(0);
      expect(numberBefore(said, "bytes stack frame"), kernel).toBe(0);
      const registers = Number(/Used (\d+) registers/.exec(said)?.[1]);
      // Three blocks of 320 threads on a multiprocessor forward, two backward.
      expect(registers, kernel).toBeLessThanOrEqual(kernel.includes("backward") ? 96 : 64);
    }
  });

  it("reads and writes pixels 16 bytes at a time", () => {
    const defines = ["-DINVDIFF_IO=1", "-DINVDIFF_WEIGHT=0", "-DINVDIFF_VECTOR=8"];
    const ptx = join(folder, "kernels.ptx");
    execFileSync("nvcc", ["-ptx", "-arch=sm_90", "-o", ptx, ...defines, source], { stdio: "pipe" });
    const text = readFileSync(ptx, "utf8");
    const count = (instruction: RegExp) => text.match(instruction)?.length ?? 0;
    expect(count(/ld\.global\S*\.v4/g)).toBeGreaterThan(50);
    expect(count(/st\.global\S*\.v4/g)).toBeGreaterThan(20);
    expect(count(/(ld|st)\.global\S*\.[bu]16/g)).toBe(0);
    expect(count(/cvt\.rn\.bf16x2\.f32/g)).toBeGreaterThan(50);
  });
});
