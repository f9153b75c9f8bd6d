// House rules that a machine can check.
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT, filesIn, isGenerated, isTest, lineCount, read, trackedFiles } from "./files.ts";

const CODE = [".ts", ".mjs", ".cc", ".h"];
const MAX_LINES = 500;
const MAX_METHOD_LINES = 800;

const handWritten = ["src", "native", "test", "scripts", "tools", "bench"]
  .flatMap((folder) => filesIn(folder, CODE))
  .filter((path) => !isGenerated(path));

/** Rooms of src/ that hold code. */
const rooms = [...new Set(filesIn("src", [".ts"]).map((path) => path.split("/")[1] ?? ""))];

/** Text of a tracked file, or "" when it is binary or large. */
function textOf(path: string): string {
  const full = join(ROOT, path);
  if (!statSync(full).isFile() || statSync(full).size > 2_000_000) return "";
  const bytes = readFileSync(full);
  return bytes.subarray(0, 8000).includes(0) ? "" : bytes.toString("utf8");
}

describe("files", () => {
  it(`has no hand-written file of more than ${MAX_LINES} lines`, () => {
    const sizes = handWritten.map(lineCount).sort((a, b) => a - b);
    const sources = handWritten.filter((path) => path.startsWith("src/") && !isTest(path));
    const sourceSizes = sources.map(lineCount).sort((a, b) => a - b);
    const median = (values: number[]) => values[Math.floor(values.length / 2)] ?? 0;
    process.stdout.write(
      `files: ${sizes.length}, median ${median(sizes)} lines; src without tests: ${sourceSizes.length}, ` +
        `median ${median(sourceSizes)}, largest ${sourceSizes.at(-1) ?? 0}\n`,
    );
    expect(handWritten.filter((path) => lineCount(path) > MAX_LINES)).toEqual([]);
  });

  it(`keeps src/method readable in one sitting: less than ${MAX_METHOD_LINES} lines`, () => {
    const lines = filesIn("src/method", [".ts"]).filter((path) => !isTest(path));
    expect(lines.reduce((sum, path) => sum + lineCount(path), 0)).toBeLessThan(MAX_METHOD_LINES);
  });

  it("leaves no unfinished marks", () => {
    const marks = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "X" + "XX"].join("|")})\\b`);
    expect(handWritten.filter((path) => marks.test(read(path)))).toEqual([]);
  });

  it("names no place of a particular machine", () => {
    const place = new RegExp(`(?<![\\w.~/-])/(${["wo" + "rk", "ro" + "ot", "ho" + "me"].join("|")})/`);
    expect(trackedFiles().filter((path) => place.test(textOf(path)))).toEqual([]);
  });
});

describe("the library", () => {
  it("is silent: console only in src/cli", () => {
    const speaks = (path: string) => !path.startsWith("src/cli/") && /\bconsole\s*\./.test(read(path));
    expect(filesIn("src", [".ts"]).filter(speaks)).toEqual([]);
  });

  it("exports every room by its index.ts", () => {
    const { exports } = JSON.parse(read("package.json")) as { exports: Record<string, { default: string }> };
    const library = rooms.filter((room) => room !== "cli" && room !== "studio");
    const hasIndex = (room: string) => filesIn(`src/${room}`, ["index.ts"]).includes(`src/${room}/index.ts`);
    expect(library.filter((room) => !hasIndex(room))).toEqual([]);
    expect(library.filter((room) => exports[`./${room}`]?.default !== `./dist/${room}/index.js`)).toEqual([]);
  });
});

describe("package-lock.json", () => {
  it("names no registry, so that it works with any", () => {
    expect(read("package-lock.json")).not.toMatch(/"resolved"\s*:/);
  });
});
