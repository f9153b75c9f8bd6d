// Writes src/torch/ops.generated.ts from the dispatcher's own schemas for the operators of ops.json.
// Run: npm run ops. CI runs it with --check and requires an empty difference.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import * as prettier from "prettier";

import { addon, type SchemaArgument } from "../src/torch/addon.ts";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const target = at("../src/torch/ops.generated.ts");

const camel = (name: string): string =>
  name.replace(/(?<=[^_])_([a-z0-9])/g, (_, c: string) => c.toUpperCase());
const reserved = new Set(["default", "function", "in", "new", "var", "with", "this", "end"]);
const local = (name: string): string => (reserved.has(name) && name !== "end" ? `${name}Value` : camel(name));

// Tensor arguments that also take a number (a "wrapped number", as in Python).
const numeric = new Set(["other", "exponent", "value", "self"]);

interface Shape {
  ts: string;
  pass: (name: string) => string;
  nullable: boolean;
}

function typeOf(argument: SchemaArgument): Shape {
  const nullable = argument.type.endsWith("?");
  const type = nullable ? argument.type.slice(0, -1) : argument.type;
  const plain = (ts: string): Shape => ({ ts, pass: (name) => name, nullable });
  if (type === "Tensor")
    return {
      ts: numeric.has(argument.name) ? "TensorLike" : "Tensor",
      pass: (name) => `raw(${name})`,
      nullable,
    };
  if (type === "Tensor[]") return { ts: "readonly Tensor[]", pass: (name) => `rawList(${name})`, nullable };
  if (type === "Tensor?[]")
    return { ts: "readonly (Tensor | null)[]", pass: (name) => `rawList(${name})`, nullable };
  if (/^(Sym)?[iI]nt\[\d*\]$/.test(type) || type === "float[]" || type === "Scalar[]")
    return plain(argument.size ? "number | readonly number[]" : "readonly number[]");
  if (type === "bool[]") return plain("readonly boolean[]");
  const scalars: Record<string, string> = {
    int: "number | bigint",
    SymInt: "number",
    float: "number",
    Scalar: "number",
    number: "number",
    bool: "boolean",
    str: "string",
    Device: "Device",
    ScalarType: "DType",
    MemoryFormat: "MemoryFormat",
    Layout: "undefined",
  };
  if (type === "Generator") return { ts: "Generator", pass: (name) => `${name}?.handle`, nullable };
  const ts = scalars[type];
  if (!ts)
    throw new Error(
      `argument '${argument.name}' has type '${argument.type}', which the generator does not know`,
    );
  return plain(ts === "number | bigint" ? "number" : ts);
}

function resultOf(
  returns: SchemaArgument[],
  written: string | undefined,
): { ts: string; wrap: (call: string) => string } {
  if (returns.length === 0) return { ts: "void", wrap: (call) => `${call};` };
  if (returns.length === 1) {
    const [only] = returns as [SchemaArgument];
    if (only.written && written)
      return { ts: written === "this" ? "this" : "Tensor", wrap: (call) => `${call}; return ${written};` };
    if (only.type === "Tensor") return { ts: "Tensor", wrap: (call) => `return wrap(${call});` };
    if (only.type === "Tensor[]") return { ts: "Tensor[]", wrap: (call) => `return wrapList(${call});` };
    const ts = only.type === "bool" ? "boolean" : "number";
    return { ts, wrap: (call) => `return ${call} as ${ts};` };
  }
  const types = returns.map((r) => (r.type === "Tensor[]" ? "Tensor[]" : "Tensor")).join(", ");
  return { ts: `[${types}]`, wrap: (call) => `return wrapTuple(${call}) as [${types}];` };
}

function generate(entries: [string, string][]): string {
  const methods: string[] = [];
  const functions: string[] = [];
  entries.forEach(([operator, target], index) => {
    const [name = "", overload = ""] = operator.split(".");
    const { arguments: args, returns, text } = addon.schema(name, overload);
    const forced = target.startsWith("fn:");
    const jsName = forced ? target.slice(3) : target;
    const isMethod = !forced && args[0]?.name === "self" && args[0].type === "Tensor";
    const positional = args.filter((a) => !a.keywordOnly).slice(isMethod ? 1 : 0);
    const keyword = args.filter((a) => a.keywordOnly && a.type !== "Layout?" && a.type !== "Layout");
    const omittable = (a: SchemaArgument): boolean => a.default !== undefined || a.type.endsWith("?");
    const firstOptional = positional.length - [...positional].reverse().findIndex((a) => !omittable(a));
    const optionalFrom = positional.every(omittable) ? 0 : firstOptional;
    const parameters = positional.map((a, i) => {
      const shape = typeOf(a);
      const orNull = shape.nullable || i >= optionalFrom ? " | null" : "";
      return `${local(a.name)}${i >= optionalFrom ? "?" : ""}: ${shape.ts}${orNull}`;
    });
    const requiredKeyword = keyword.some((a) => !omittable(a));
    if (keyword.length > 0) {
      const fields = keyword.map((a) => `${camel(a.name)}${omittable(a) ? "?" : ""}: ${typeOf(a).ts}`);
      parameters.push(`options${requiredKeyword ? "" : "?"}: { ${fields.join("; ")} }`);
    }
    const passed = args.map((a, i) => {
      if (isMethod && i === 0) return "this.handle";
      if (a.type.startsWith("Layout")) return "undefined";
      return typeOf(a).pass(
        a.keywordOnly ? `options${requiredKeyword ? "" : "?"}.${camel(a.name)}` : local(a.name),
      );
    });
    while (passed.at(-1) === "undefined") passed.pop();
    const writtenArgument = args.findIndex((a) => a.written && a.type === "Tensor");
    const written =
      writtenArgument < 0
        ? undefined
        : isMethod && writtenArgument === 0
          ? "this"
          : local(args[writtenArgument]!.name);
    const result = resultOf(returns, written);
    const body = result.wrap(`call(op(${index}), ${passed.join(", ")})`);
    const signature = `(${parameters.join(", ")}): ${result.ts} { ${body} }`;
    const doc = `/** \`${text.replace(/^aten::/, "")}\` */`;
    if (isMethod) methods.push(`${doc}\n${jsName}${signature}`);
    else functions.push(`${doc}\nexport function ${jsName}${signature}`);
  });
  return [
    "// Generated by tools/generate-ops.ts from libtorch's operator schemas (tools/ops.json). Do not edit: npm run ops",
    "/* eslint-disable */",
    'import { call, operatorTable, raw, rawList, type TensorLike, wrap, wrapList, wrapTuple } from "./bridge.ts";',
    'import type { Handle } from "./addon.ts";',
    'import type { Device, DType, MemoryFormat } from "./dtype.ts";',
    'import type { Generator } from "./random.ts";',
    'import type { Tensor } from "./tensor.ts";',
    "",
    `const op = operatorTable(${JSON.stringify(entries.map(([operator]) => operator))});`,
    "",
    "/** The operators whose first argument is the tensor itself. */",
    `export abstract class TensorOps { abstract readonly handle: Handle;\n${methods.join("\n\n")}\n}`,
    "",
    functions.join("\n\n"),
  ].join("\n");
}

const entries = Object.entries(JSON.parse(readFileSync(at("./ops.json"), "utf8")) as Record<string, string>);
const config = await prettier.resolveConfig(target);
const source = await prettier.format(generate(entries), { ...config, parser: "typescript" });
if (process.argv.includes("--check")) {
  if (readFileSync(target, "utf8") !== source) {
    process.stderr.write("src/torch/ops.generated.ts is not what the schemas give. Run: npm run ops\n");
    process.exitCode = 1;
  }
} else {
  writeFileSync(target, source);
  process.stdout.write(`${entries.length} operators -> src/torch/ops.generated.ts\n`);
}
