// The layer rule of the design: a file imports only from its own room or from rooms of the layers to the left.
import { dirname, join, normalize } from "node:path/posix";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { filesIn, isTest, read } from "./files.ts";

/** Layers from the ground up; rooms of one layer do not know each other. */
const LAYERS = [
  ["torch"],
  ["nn", "checkpoint", "data", "tokenizers", "hub"],
  ["models", "schedulers"],
  ["pipelines", "metrics"],
  ["method"],
  ["experiment"],
  ["cli", "studio"],
];

const layerOf = (room: string): number => LAYERS.findIndex((rooms) => rooms.includes(room));

/** Every specifier a file imports: static, dynamic, type-only, re-exported. */
const specifiersOf = (text: string): string[] =>
  ts.preProcessFile(text).importedFiles.map((file) => file.fileName);

/** Why `path` may not import `specifier`, or undefined when it may. */
function violation(path: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  const target = normalize(join(dirname(path), specifier));
  const [top, to = ""] = target.split("/");
  const from = path.split("/")[1] ?? "";
  if (top === "test") return isTest(path) ? undefined : `${path}: imports ${target}, which is for tests`;
  if (top === "scripts") return from === "cli" || from === "torch" ? undefined : `${path}: imports ${target}`;
  if (top !== "src") return `${path}: imports ${target}, which is outside src/`;
  if (layerOf(to) < 0) return `${path}: imports ${target}, a room without a layer`;
  if (to === from || layerOf(to) < layerOf(from)) return undefined;
  return `${path}: ${from} may not import ${to} (${target})`;
}

const sources = filesIn("src", [".ts"]);

describe("layers", () => {
  it("has a layer for every file", () => {
    expect(sources.filter((path) => layerOf(path.split("/")[1] ?? "") < 0)).toEqual([]);
  });

  it("imports only from the own room or from layers to the left", () => {
    const found = sources.flatMap((path) => specifiersOf(read(path)).map((to) => violation(path, to)));
    expect(found.filter((text) => text !== undefined)).toEqual([]);
  });

  it("lets only src/torch load the addon", () => {
    const loads = (path: string) => /process\.dlopen|\.node["'`]/.test(read(path));
    expect(sources.filter((path) => !path.startsWith("src/torch/") && loads(path))).toEqual([]);
  });
});

describe("the rule itself", () => {
  it.each([
    ["src/nn/linear.ts", "../torch/index.ts", true],
    ["src/nn/linear.ts", "./module.ts", true],
    ["src/nn/linear.ts", "../checkpoint/index.ts", false],
    ["src/torch/tensor.ts", "../nn/index.ts", false],
    ["src/models/unet/unet.ts", "../../schedulers/index.ts", false],
    ["src/models/unet/unet.ts", "../vae/vae.ts", true],
    ["src/method/step.ts", "../pipelines/index.ts", true],
    ["src/method/step.ts", "../experiment/index.ts", false],
    ["src/nn/linear.test.ts", "../../test/golden-dir.ts", true],
    ["src/nn/linear.ts", "../../test/golden-dir.ts", false],
    ["src/nn/linear.ts", "../../tools/x.ts", false],
  ])("%s -> %s: %s", (path, specifier, allowed) => {
    expect(violation(path, specifier) === undefined).toBe(allowed);
  });

  it("sees static, type-only, dynamic and re-exporting imports, and no comments", () => {
    const text = [
      'import { a } from "./a.ts";',
      'import type { B } from "./b.ts";',
      'export * from "./c.ts";',
      'const d = await import("./d.ts");',
      '// import "./no.ts";',
      'import "./e.ts";',
    ].join("\n");
    expect(specifiersOf(text).sort()).toEqual(["./a.ts", "./b.ts", "./c.ts", "./d.ts", "./e.ts"]);
  });
});
