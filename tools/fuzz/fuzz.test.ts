// A small slice of `npm run fuzz`, and that the fuzzer sees what it is there to see.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { settledTensorCount } from "../../test/settled.ts";
import { failed, fuzz } from "./fuzz.ts";
import { KINDS, makeInput } from "./kinds.ts";
import { tryInput } from "./try-input.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fuzz-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const INPUTS = 3000;
const kinds = Object.keys(KINDS);

describe("damaged files (slow: a slice of npm run fuzz)", () => {
  it.each(kinds)("%s: read, or refused by an error of the user's kind", (kind) => {
    settledTensorCount();
    const before = process.memoryUsage().rss;
    const outcomes = new Map<string, number>();
    const bugs = new Map<string, number>(); // each different one once
    for (let number = 0; number < Math.ceil(INPUTS / kinds.length); number++) {
      const { name, bug } = tryInput(kind, folder, { seed: 1, number });
      outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
      if (bug !== undefined && !bugs.has(bug)) bugs.set(bug, number);
    }
    expect([...bugs]).toEqual([]);
    // Inputs that are all refused, or all read, would test nothing.
    expect(outcomes.get("accepted") ?? 0).toBeGreaterThan(0);
    expect(outcomes.size).toBeGreaterThan(1);
    expect(process.memoryUsage().rss - before).toBeLessThan(250e6);
  });
});

describe("the fuzzer", () => {
  it("makes the same input of the same number, and others of others", () => {
    for (const kind of kinds) {
      const make = (seed: number, number: number) => makeInput(kind, { seed, number }).toString("base64");
      expect(make(1, 5)).toBe(make(1, 5));
      const inputs = Array.from({ length: 20 }, (_, number) => make(1, number));
      expect(new Set(inputs).size).toBeGreaterThan(10);
      expect(make(2, 5) === make(1, 5) && make(2, 6) === make(1, 6)).toBe(false);
    }
  });

  const run = async (what: string, hangMs?: number) => {
    const options = { kinds: [`self-test ${what}`], perKind: 6, seed: 0, folder, hangMs };
    const [result] = await fuzz(options);
    return result!;
  };

  it("survives a crash, names and keeps the input, and goes on behind it", async () => {
    const result = await run("crash");
    expect(failed(result)).toBe(true);
    expect(result.outcomes).toEqual({ accepted: 5, other: 1 });
    expect(result.bugs).toEqual([{ number: 3, what: expect.stringMatching(/crashed \(SIGSEGV\)/) }]);
    expect(readFileSync(join(folder, "self-test crash 3", "x"), "utf8")).toBe("3");
  });

  it("tells other errors from refusals", async () => {
    const result = await run("bug");
    expect(failed(result)).toBe(true);
    expect(result.outcomes).toEqual({ accepted: 5, other: 1 });
    expect(result.bugs).toEqual([{ number: 3, what: expect.stringMatching(/TypeError: not what/) }]);
    expect(existsSync(join(folder, "self-test bug 3"))).toBe(false);
  });

  it("ends a hang and sees memory grow", async () => {
    const hang = await run("hang", 3000);
    expect(hang.bugs).toEqual([{ number: 3, what: expect.stringMatching(/hung for 3 s/) }]);
    const memory = await run("memory");
    expect(memory.outcomes).toEqual({ accepted: 6 });
    expect(memory.growth).toBeGreaterThan(500e6);
    expect(failed(memory)).toBe(true);
  });
});
