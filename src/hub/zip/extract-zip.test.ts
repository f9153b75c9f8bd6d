// Zips, honest and hostile: what comes out, and that nothing comes out of those that are refused.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { testBytes } from "../../../test/hub-server.ts";
import { zipBytes, type ZipPart } from "../../../test/zip-bytes.ts";
import { DownloadError } from "../errors.ts";
import { EXTRACTED, extractZip, type ExtractOptions } from "./extract-zip.ts";

let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "invdiff-zip-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const zip = () => join(folder, "x.zip");
const out = () => join(folder, "out");
const extract = (parts: readonly ZipPart[], options?: ExtractOptions) => {
  writeFileSync(zip(), zipBytes(parts));
  return extractZip(zip(), out(), options);
};
const below = (path: string) =>
  readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((name) => name !== EXTRACTED)
    .sort();
const text = Buffer.from("hello");

describe("an honest zip", () => {
  it("comes out with names and bytes, deflated, stored, empty and zip64", async () => {
    const big = testBytes(200_000);
    const { files, bytes, kept } = await extract([
      { name: "a/" },
      { name: "a/b.txt", bytes: text },
      { name: "a/c/d.bin", bytes: big, stored: true },
      { name: "é ü.txt", bytes: big, zip64: true },
      { name: "empty" },
    ]);
    expect({ files, bytes, kept }).toEqual({ files: 4, bytes: 400_005, kept: false });
    expect(below(out())).toEqual(["a", "a/b.txt", "a/c", "a/c/d.bin", "empty", "é ü.txt"]);
    expect(readFileSync(join(out(), "a/b.txt"), "utf8")).toBe("hello");
    expect(readFileSync(join(out(), "a/c/d.bin")).equals(big)).toBe(true);
    expect(readFileSync(join(out(), "é ü.txt")).equals(big)).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(["out", "x.zip"]);
  });

  it("is kept when it is there, replaces an older one or another folder only with force", async () => {
    const parts = [{ name: "a", bytes: text }];
    await extract(parts);
    writeFileSync(join(out(), "note"), "mine");
    expect((await extract(parts)).kept).toBe(true);
    expect(existsSync(join(out(), "note"))).toBe(true);
    const other = [{ name: "b", bytes: text }];
    await expect(extract(other)).rejects.toThrow(/exists and was not made from .*--force/);
    expect(below(out())).toEqual(["a", "note"]);
    await extract(other, { force: true });
    expect(below(out())).toEqual(["b"]);
    expect(readdirSync(folder).sort()).toEqual(["out", "x.zip"]);
  });

  it("loses its one top folder of the target's name when asked", async () => {
    await extract([{ name: "out/" }, { name: "out/a", bytes: text }, { name: "out/b/c", bytes: text }], {
      unwrap: true,
    });
    expect(below(out())).toEqual(["a", "b", "b/c"]);
    rmSync(out(), { recursive: true });
    await extract(
      [
        { name: "out/a", bytes: text },
        { name: "other", bytes: text },
      ],
      { unwrap: true },
    );
    expect(below(out())).toEqual(["other", "out", "out/a"]);
  });

  it("goes into an empty folder, past what a dead process left", async () => {
    mkdirSync(out());
    mkdirSync(join(folder, `out.tmp-${2 ** 30}`));
    await extract([{ name: "a", bytes: text }]);
    expect(readdirSync(folder).sort()).toEqual(["out", "x.zip"]);
  });

  it("leaves nothing behind when it is stopped", async () => {
    const controller = new AbortController();
    const reason = new Error("stop");
    const parts = Array.from({ length: 5 }, (_, i) => ({
      name: `f${i}`,
      bytes: testBytes(100_000, i),
      stored: true,
    }));
    const onProgress = ({ done }: { done: number }) => done > 150_000 && controller.abort(reason);
    await expect(extract(parts, { signal: controller.signal, onProgress })).rejects.toBe(reason);
    expect(readdirSync(folder)).toEqual(["x.zip"]);
  });
});

describe("a zip that is refused", () => {
  const link = { mode: 0o120777, bytes: Buffer.from("/etc/passwd") };
  it.each<[string, readonly ZipPart[], RegExp]>([
    ["a path upwards", [{ name: "a/../../b", bytes: text }], /"\.\."/],
    ["an absolute path", [{ name: "/etc/x", bytes: text }], /absolute/],
    ["a drive", [{ name: "C:/x", bytes: text }], /colon/],
    ["a drive without a slash", [{ name: "C:x", bytes: text }], /colon/],
    ["backslashes", [{ name: "..\\..\\x", bytes: text }], /backslash/],
    ["an empty part", [{ name: "a//b", bytes: text }], /empty part/],
    ["the folder itself", [{ name: "./x", bytes: text }], /empty part/],
    ["a zero byte", [{ name: "a\0b", bytes: text }], /control/],
    ["an empty name", [{ name: "", bytes: text }], /empty/],
    ["a name that is too long", [{ name: "n".repeat(256), bytes: text }], /longer/],
    ["a link", [{ name: "l", ...link }], /a link/],
    [
      "a link and a file through it",
      [
        { name: "l", ...link },
        { name: "l/x", bytes: text },
      ],
      /a link/,
    ],
    ["a pipe", [{ name: "p", mode: 0o010644 }], /a pipe/],
    ["a device", [{ name: "p", mode: 0o020644 }], /a device/],
    [
      "the same name twice",
      [
        { name: "a", bytes: text },
        { name: "a", bytes: text },
      ],
      /twice/,
    ],
    [
      "names that differ by case",
      [
        { name: "A", bytes: text },
        { name: "a", bytes: text },
      ],
      /collides with "A"/,
    ],
    [
      "names that differ by composition",
      [
        { name: "\u00e9", bytes: text },
        { name: "e\u0301", bytes: text },
      ],
      /collides/,
    ],
    [
      "folders that differ by case",
      [
        { name: "A/x", bytes: text },
        { name: "a/y", bytes: text },
      ],
      /collides/,
    ],
    [
      "a file that is a folder too",
      [
        { name: "a", bytes: text },
        { name: "a/b", bytes: text },
      ],
      /twice/,
    ],
    [
      "a folder that is a file too",
      [
        { name: "a/b", bytes: text },
        { name: "a", bytes: text },
      ],
      /twice/,
    ],
    ["an encrypted file", [{ name: "a", bytes: text, flags: 1 }], /encrypted/],
    ["another compression", [{ name: "a", bytes: text, method: 12 }], /method 12/],
    ["a wrong checksum", [{ name: "a", bytes: text, crc: 1 }], /damaged.*checksum of a is wrong/],
    [
      "more bytes than announced",
      [{ name: "a", bytes: testBytes(5000), size: 10 }],
      /broken.*too many bytes/,
    ],
    ["fewer bytes than announced", [{ name: "a", bytes: text, size: 10 }], /broken.*not enough bytes/],
  ])("%s", async (_name, parts, words) => {
    const error: unknown = await extract([{ name: "before", bytes: text }, ...parts]).catch(
      (caught: unknown) => caught,
    );
    expect(error).toBeInstanceOf(DownloadError);
    expect(String(error)).toMatch(words);
    expect(readdirSync(folder)).toEqual(["x.zip"]);
  });

  it.each<[string, readonly ZipPart[], RegExp, ExtractOptions["limits"]]>([
    [
      "too many entries",
      [{ name: "a" }, { name: "b" }, { name: "c" }],
      /3 entries, more than 2/,
      { entries: 2 },
    ],
    [
      "too many bytes",
      [{ name: "a", bytes: testBytes(1000) }],
      /unpacks to 1\.0 kB, more than 999 B/,
      { bytes: 999 },
    ],
    ["a bomb", [{ name: "a", bytes: Buffer.alloc(11_000_000) }], /times its size \(limit 100\)/, undefined],
    [
      "entries that share their bytes",
      [
        { name: "a", bytes: testBytes(5000) },
        ...["b", "c"].map((name) => ({ name, bytes: testBytes(5000), shared: true })),
      ],
      /share their bytes/,
      undefined,
    ],
  ])("%s", async (_name, parts, words, limits) => {
    await expect(extract(parts, { limits })).rejects.toThrow(words);
    expect(readdirSync(folder)).toEqual(["x.zip"]);
  });

  it("what is cut off or no zip, at any byte", async () => {
    const whole = zipBytes([
      { name: "a/b", bytes: testBytes(2000) },
      { name: "c", bytes: text },
    ]);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: whole.length - 1 }), async (length) => {
        writeFileSync(zip(), whole.subarray(0, length));
        await expect(extractZip(zip(), out())).rejects.toThrow(/no zip file, or broken/);
        expect(existsSync(out())).toBe(false);
      }),
      { seed: 3, numRuns: 30 },
    );
    await expect(extractZip(join(folder, "none.zip"), out())).rejects.toThrow(/does not exist/);
  });

  it("never writes outside, whatever byte is changed", async () => {
    const whole = zipBytes([
      { name: "a/b", bytes: testBytes(300) },
      { name: "c", bytes: text },
    ]);
    const change = fc.tuple(fc.integer({ min: 0, max: whole.length - 1 }), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const damaged = Buffer.from(whole);
        for (const [at, by] of changes) damaged[at] = (damaged[at] ?? 0) ^ by;
        writeFileSync(zip(), damaged);
        rmSync(out(), { recursive: true, force: true });
        const error: unknown = await extractZip(zip(), out()).catch((caught: unknown) => caught);
        if (error instanceof Error) expect(error).toBeInstanceOf(DownloadError);
        expect(readdirSync(folder).filter((name) => name !== "out")).toEqual(["x.zip"]);
      }),
      { seed: 4, numRuns: 60 },
    );
  });
});
