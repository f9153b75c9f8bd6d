// The pieces that the bundle is put together from; the whole of it is tried in test/e2e/bundle.test.ts.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { toDist } from "./compile.mjs";
import { entry } from "./entries.mjs";
import { foreignLibraries } from "./node-binary.mjs";
import { isNeeded, productionPackages } from "./packages.mjs";
import { splitName, tarPieces } from "./tar.mjs";
import { missingImports } from "./whole.mjs";

const folder = mkdtempSync(join(tmpdir(), "invdiff-bundle-parts-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const long = (length: number, letter = "d") => letter.repeat(length);

describe("the archive", () => {
  const entries = [
    entry("b/run.sh", "#!/bin/sh\n", 0o755),
    entry("a.txt", "a".repeat(512)),
    entry(`${long(120)}/${long(99, "f")}`, "long"),
    entry("b/empty", ""),
  ];

  it("has the same bytes whatever the order of its entries", () => {
    const whole = Buffer.concat([...tarPieces("top", entries)]);
    expect(Buffer.concat([...tarPieces("top", entries.toReversed())])).toEqual(whole);
    expect(whole.length % 512).toBe(0);
  });

  it("is what tar and Python unpack, with modes and long names", () => {
    const file = join(folder, "x.tar");
    writeFileSync(file, Buffer.concat([...tarPieces("top", entries)]));
    const listed = execFileSync("tar", ["tf", file], { encoding: "utf8" }).trim().split("\n");
    expect(listed).toEqual([
      "top/",
      "top/a.txt",
      "top/b/",
      "top/b/empty",
      "top/b/run.sh",
      `top/${long(120)}/`,
      `top/${long(120)}/${long(99, "f")}`,
    ]);
    const to = join(folder, "python");
    mkdirSync(to);
    execFileSync("python3", ["-m", "tarfile", "-e", file, to]);
    for (const { name, mode, data } of entries) {
      expect(readFileSync(join(to, "top", name))).toEqual(data);
      expect(statSync(join(to, "top", name)).mode & 0o777).toBe(mode);
    }
  });

  it("refuses a name that does not fit instead of cutting it", () => {
    expect(splitName(`${long(155)}/${long(100)}`)).toEqual({ prefix: long(155), rest: long(100) });
    expect(() => splitName(long(101))).toThrow(/too long/);
    expect(() => splitName(`${long(156)}/${long(100)}`)).toThrow(/too long/);
  });
});

describe("packages", () => {
  const write = (path: string, value: unknown) => {
    const full = join(folder, "project", path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, JSON.stringify(value));
  };
  const locked = {
    "": {},
    "node_modules/a": { version: "1.0.0", license: "MIT" },
    "node_modules/dev": { version: "1.0.0", dev: true },
    "node_modules/mac": { version: "1.0.0", optional: true, os: ["darwin"] },
    "node_modules/musl": { version: "1.0.0", optional: true, os: ["linux"], cpu: ["x64"], libc: ["musl"] },
    "node_modules/wasm": { version: "1.0.0", optional: true },
    "node_modules/native": { version: "2.0.0", optional: true, os: ["linux"], cpu: ["x64"], libc: ["glibc"] },
  };

  it("are those of production for this platform, in the versions of the lock", () => {
    write("package-lock.json", { packages: locked });
    write("node_modules/a/package.json", { name: "a", version: "1.0.0" });
    expect(() => productionPackages(join(folder, "project"))).toThrow(/native is not installed.*npm ci/s);
    write("node_modules/native/package.json", { name: "native", version: "2.0.1" });
    expect(() => productionPackages(join(folder, "project"))).toThrow(
      /native is version 2.0.1; .* says 2.0.0/s,
    );
    write("node_modules/native/package.json", { name: "native", version: "2.0.0" });
    const names = productionPackages(join(folder, "project")).map(({ name, license }) => [name, license]);
    expect(names).toEqual([
      ["a", "MIT"],
      ["native", "unknown"],
    ]);
  });

  it.each([
    ["zod", "v4/core/parse.js", true],
    ["zod", "v4/core/parse.cjs", false],
    ["zod", "v4/core/parse.d.ts", false],
    ["echarts", "lib/echarts.js", true],
    ["echarts", "dist/echarts.js", false],
    ["echarts", "licenses/LICENSE-d3", true],
    ["hyparquet", "src/read.js", true],
    ["sharp", "src/common.cc", false],
    ["node-api-headers", "include/node_api.h", true],
    ["@img/sharp-libvips-linux-x64", "README.md", true],
    ["yaml", "README.md", false],
    ["yaml", "LICENSE", true],
  ])("%s: %s: %s", (name, file, needed) => {
    expect(isNeeded(name, file)).toBe(needed);
  });
});

describe("compiled code", () => {
  it("finds the library in dist/", () => {
    const code =
      'import { x } from "../../src/torch/index.js";\nnew URL("../src/a.js", here); const other = "src/b";';
    expect(toDist(code)).toBe(code.replace("../../src/", "../../dist/").replace("../src/a", "../dist/a"));
  });

  it("is whole: imports without target are named, built-in and packed packages are not", async () => {
    const files = [
      entry(
        "dist/a.js",
        'import fs from "node:fs"; import "path"; import "@s/p/x.js"; export * from "./b.js";',
      ),
      entry("dist/b.js", 'await import("./gone.js"); import "left-out";'),
      entry("node_modules/@s/p/x.js", 'import "never looked at";'),
    ];
    expect(await missingImports(files)).toEqual(["dist/b.js: ./gone.js", "dist/b.js: left-out"]);
  });
});

it("a Node.js that needs a distribution's own libraries is known", () => {
  const common = ["linux-vdso.so.1", "/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"];
  expect(foreignLibraries([...common, "/usr/lib/libstdc++.so.6"])).toEqual([]);
  expect(foreignLibraries([...common, "/usr/lib/libnode.so.115"])).toEqual(["libnode.so.115"]);
});
