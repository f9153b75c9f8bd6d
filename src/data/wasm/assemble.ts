/**
 * Assembles WebAssembly from its text format: the part of it that this folder is written in. Functions have parameters and locals
 * but no results, and instructions are folded, as in "(i32.add (local.get $x) (i32.const 1))".
 * Specification: https://webassembly.github.io/spec/core/text/index.html and https://webassembly.github.io/spec/core/binary/index.html.
 */
import { InvDiffError } from "../../torch/errors.ts";

/** A word, or a list in brackets. */
type Expression = string | readonly Expression[];

/** Opcode, and what follows it in the binary; those above 255 are 0xfd (vectors) and a number. */
type Instruction = readonly [opcode: number, immediate?: "local" | "label" | "number" | "memory" | "lane"];

const vector = (number: number): number => 0xfd00 + number;

const INSTRUCTIONS = new Map<string, Instruction>([
  ["br_if", [0x0d, "label"]],
  ["local.get", [0x20, "local"]],
  ["local.set", [0x21, "local"]],
  ["local.tee", [0x22, "local"]],
  ["i32.load", [0x28, "memory"]],
  ["f32.load", [0x2a, "memory"]],
  ["i32.load8_u", [0x2d, "memory"]],
  ["f32.store", [0x38, "memory"]],
  ["i32.const", [0x41, "number"]],
  ["i32.lt_u", [0x49]],
  ["i32.add", [0x6a]],
  ["i32.mul", [0x6c]],
  ["v128.load8x8_u", [vector(2), "memory"]],
  ["v128.load32_splat", [vector(9), "memory"]],
  ["v128.store", [vector(11), "memory"]],
  ["i32x4.splat", [vector(17)]],
  ["v128.store8_lane", [vector(88), "lane"]],
  ["i8x16.narrow_i16x8_u", [vector(102)]],
  ["i16x8.narrow_i32x4_s", [vector(133)]],
  ["i32x4.extend_low_i16x8_u", [vector(169)]],
  ["i32x4.extend_high_i16x8_u", [vector(170)]],
  ["i32x4.shr_s", [vector(172)]],
  ["i32x4.add", [vector(174)]],
  ["i32x4.mul", [vector(181)]],
]);

const TYPES = new Map<unknown, number>([
  ["i32", 0x7f],
  ["f32", 0x7d],
  ["v128", 0x7b],
]);

/** The binary of a module: `(module (memory (export "memory") PAGES) (func (export "name") (param $x i32) ... (local $y i32) ... body) ...)`. */
export function assemble(text: string): Uint8Array<ArrayBuffer> {
  const [, memory, ...functions] = parse(text) as [string, Expression[], ...Expression[][]];
  const exported = [
    [...nameOf(memory), 2, 0],
    ...functions.map((fn, i) => [...nameOf(fn), 0, ...unsigned(i)]),
  ];
  const assembled = functions.map(assembleFunction);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(
      1,
      assembled.map(({ type }) => type),
    ),
    ...section(
      3,
      functions.map((_, i) => unsigned(i)),
    ),
    ...section(5, [[0, ...unsigned(Number(memory[2]))]]),
    ...section(7, exported),
    ...section(
      10,
      assembled.map(({ code }) => code),
    ),
  ]);
}

/** The first expression of a text; comments begin with ";;". */
function parse(text: string): Expression {
  const words = text.replace(/;;.*$/gm, "").match(/[()]|"[^"]*"|[^\s()"]+/g) ?? [];
  let next = 0;
  const expression = (): Expression => {
    const word = words[next++];
    if (word === undefined) fail("a bracket is not closed");
    if (word !== "(") return word;
    const list: Expression[] = [];
    while (words[next] !== ")") list.push(expression());
    next++;
    return list;
  };
  return expression();
}

function assembleFunction(fn: readonly Expression[]): { type: number[]; code: number[] } {
  const declared = (kind: string) => fn.filter((item) => item[0] === kind) as string[][];
  const [params, locals] = [declared("param"), declared("local")];
  const names = [...params, ...locals].map(([, name]) => name!);
  const typeOf = ([, name, type]: string[]): number =>
    TYPES.get(type) ?? fail(`${name} has the type ${type}`);
  const body = fn.filter(
    (item) => typeof item !== "string" && !["export", "param", "local"].includes(item[0] as string),
  );
  const code = [
    ...list(locals.map((local) => [1, typeOf(local)])),
    ...body.flatMap((item) => instruction(item as Expression[], names, [])),
    END,
  ];
  return {
    type: [0x60, ...list(params.map((param) => [typeOf(param)])), 0],
    code: [...unsigned(code.length), ...code],
  };
}

const LOOP = 0x03;
const END = 0x0b;
const NO_RESULT = 0x40;

/** An instruction after its operands; `labels` are those of the loops around it, innermost first. */
function instruction(
  [name, ...rest]: readonly Expression[],
  locals: readonly string[],
  labels: readonly string[],
): number[] {
  const operands = rest.filter((item) => typeof item !== "string");
  const words = rest.filter((item) => typeof item === "string");
  if (name === "loop") {
    const body = operands.flatMap((item) => instruction(item, locals, [words[0]!, ...labels]));
    return [LOOP, NO_RESULT, ...body, END];
  }
  const [opcode, immediate] =
    INSTRUCTIONS.get(name as string) ?? fail(`no instruction is called ${String(name)}`);
  const index = (among: readonly string[]): number[] => {
    const found = among.indexOf(words[0]!);
    return found < 0 ? fail(`${String(name)} ${words[0]}: nothing has this name`) : unsigned(found);
  };
  // Alignment is a hint only: 0 says nothing.
  const place = (): number[] => [
    0,
    ...unsigned(Number(words.find((word) => word.startsWith("offset="))?.slice(7) ?? 0)),
  ];
  const immediates = {
    local: () => index(locals),
    label: () => index(labels),
    number: () => signed(Number(words[0])),
    memory: place,
    lane: () => [...place(), Number(words.at(-1))],
  };
  return [
    ...operands.flatMap((item) => instruction(item, locals, labels)),
    ...(opcode > 0xff ? [opcode >> 8, ...unsigned(opcode & 0xff)] : [opcode]),
    ...(immediate ? immediates[immediate]() : []),
  ];
}

function nameOf(item: readonly Expression[]): number[] {
  const [, quoted] = item.find((part) => part[0] === "export") as string[];
  const bytes = [...new TextEncoder().encode(quoted!.slice(1, -1))];
  return list(bytes.map((byte) => [byte]));
}

const list = (items: readonly number[][]): number[] => [...unsigned(items.length), ...items.flat()];

function section(id: number, items: readonly number[][]): number[] {
  const content = list(items);
  return [id, ...unsigned(content.length), ...content];
}

/** LEB128: seven bits a byte, the lowest first. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): number[] {
  const isLast = value >= -0x40 && value < 0x40;
  return isLast ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)];
}

function fail(what: string): never {
  throw new InvDiffError(`The WebAssembly text cannot be assembled: ${what}.`);
}
