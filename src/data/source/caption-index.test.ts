import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readCaptionFiles } from "./caption-files.ts";
import { indexFile, openCaptionIndex, userCacheFolder } from "./caption-index.ts";

let folder: string;
let cache: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "invdiff-captions-"));
  cache = mkdtempSync(join(tmpdir(), "invdiff-cache-"));
  vi.stubEnv("INVDIFF_CACHE", cache);
});
afterEach(() => {
  vi.unstubAllEnvs();
  for (const path of [folder, cache]) rmSync(path, { recursive: true, force: true });
});

/** Writes a caption file as of a minute ago: what has just been written is not trusted. */
function write(name: string, text: string): void {
  writeFileSync(join(folder, name), text);
  const then = Date.now() / 1000 - 60;
  utimesSync(join(folder, name), then, then);
}

const times = (name: string) => ({ ...statSync(join(folder, name)), ctimeMs: 1 });

/** What the index has for the files, after reading what it has not. */
function found(names: readonly string[]): (string | readonly string[] | undefined)[] {
  const index = openCaptionIndex(folder);
  const before = names.map((name) => index.find(name, times(name)));
  before.forEach((captions, i) => {
    if (captions === undefined)
      index.add(names[i]!, times(names[i]!), readFileSync(join(folder, names[i]!), "utf8"));
  });
  index.save();
  return before;
}

describe("the index of caption files", () => {
  it("remembers what files said until their size or times change", () => {
    write("a.txt", "one");
    write("b.txt", "two");
    expect(found(["a.txt", "b.txt"])).toEqual([undefined, undefined]);
    expect(found(["a.txt", "b.txt"])).toEqual(["one", "two"]);
    write("b.txt", "three");
    expect(found(["a.txt", "b.txt"])).toEqual(["one", undefined]);
    expect(found(["a.txt", "b.txt"])).toEqual(["one", "three"]);
    utimesSync(join(folder, "a.txt"), 5, 5);
    expect(found(["a.txt"])).toEqual([undefined]);
    // What was not asked for is forgotten.
    expect(found(["b.txt"])).toEqual([undefined]);
  });

  it("does not trust files written a moment ago: they may change again unseen", () => {
    writeFileSync(join(folder, "a.txt"), "one");
    expect(found(["a.txt"])).toEqual([undefined]);
    expect(found(["a.txt"])).toEqual([undefined]);
  });

  it("is made anew when it is damaged, cut off, or another folder's", () => {
    write("a.txt", "one");
    found(["a.txt"]);
    const path = indexFile(folder);
    const whole = readFileSync(path, "utf8");
    for (const bad of [
      "",
      "{",
      "null\n[]",
      whole.slice(0, -3),
      whole.replace("one", "two"),
      whole.replace(folder, "/x"),
    ]) {
      writeFileSync(path, bad);
      expect(found(["a.txt"])).toEqual([undefined]);
      expect(readFileSync(path, "utf8")).toBe(whole);
    }
  });

  it("does without when the cache folder cannot be written", () => {
    write("a.txt", "one");
    writeFileSync(join(cache, "file"), "");
    vi.stubEnv("INVDIFF_CACHE", join(cache, "file"));
    expect(found(["a.txt"])).toEqual([undefined]);
    expect(found(["a.txt"])).toEqual([undefined]);
  });

  it("lies where the user's caches lie", () => {
    expect(userCacheFolder({ INVDIFF_CACHE: "/a", XDG_CACHE_HOME: "/b" })).toBe("/a");
    expect(userCacheFolder({ XDG_CACHE_HOME: "/b" })).toBe("/b/invdiff");
    expect(userCacheFolder({})).toMatch(/\.cache.invdiff$/);
  });
});

describe("readCaptionFiles", () => {
  const many = Array.from({ length: 2100 }, (_, i) => `${i}.txt`);

  it("uses the index for many files only, and gives the same with it as without", () => {
    for (const [i, name] of many.entries()) write(name, i % 3 ? `caption ${i}` : `one\ntwo ${i}`);
    const plain = readCaptionFiles(folder, many.slice(0, 100));
    expect(existsSync(join(cache, "index"))).toBe(false);
    const first = readCaptionFiles(folder, [...many, undefined]);
    expect(readdirSync(join(cache, "index"))).toHaveLength(1);
    expect(readCaptionFiles(folder, [...many, undefined])).toEqual(first);
    expect(first.slice(0, 100)).toEqual(plain);
    expect(first.at(-1)).toBeUndefined();
    write("5.txt", "another");
    expect(readCaptionFiles(folder, many)[5]).toBe("another");
    expect(() => readCaptionFiles(folder, [...many, "none.txt"])).toThrow(/none.txt is gone/);
  });
});
