import { describe, expect, it } from "vitest";
import { assemble } from "./assemble.ts";

declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly run: (...values: number[]) => void;
}

const instance = (functions: string): Exports =>
  new WebAssembly.Instance(
    new WebAssembly.Module(assemble(`(module (memory (export "memory") 2) ${functions})`)),
  ).exports as Exports;

/** Functions have no results, so the value is left in the memory. */
const storing = (value: string): string =>
  `(func (export "run") (param $x i32) (v128.store (i32.const 16) (i32x4.splat ${value})))`;

const stored = (value: string, x: number): number => {
  const { memory, run } = instance(storing(value));
  run(x);
  return new Int32Array(memory.buffer, 16, 1)[0]!;
};

describe("assemble", () => {
  it.each([0, 1, 63, 64, 127, 128, 8191, 8192, 2 ** 21, 2 ** 31 - 1, -1, -64, -65, -8192, -8193, -(2 ** 31)])(
    "writes the number %s",
    (number) => expect(stored(`(i32.const ${number})`, 0)).toBe(number),
  );

  it("nests operands and skips comments", () => {
    const value = `(i32.add (i32.mul (local.get $x) (i32.const 0x10)) ;; times sixteen (
      (i32.lt_u (local.get $x) (i32.const 5)))`;
    expect([3, 5].map((x) => stored(value, x))).toEqual([49, 80]);
  });

  it("has loops within loops, locals after parameters and several functions", () => {
    const { memory, run } = instance(`
      (func (export "unused") (param $only i32))
      (func (export "run") (param $rows i32) (param $columns i32) (local $row i32) (local $column i32) (local $sum i32)
        (loop $outer
          (local.set $column (i32.const 0))
          (loop $inner
            (local.set $sum (i32.add (local.get $sum) (i32.const 1)))
            (local.set $column (i32.add (local.get $column) (i32.const 1)))
            (br_if $inner (i32.lt_u (local.get $column) (local.get $columns))))
          (br_if $outer (i32.lt_u (local.tee $row (i32.add (local.get $row) (i32.const 1))) (local.get $rows))))
        (v128.store offset=300 (i32.const 0) (i32x4.splat (local.get $sum))))`);
    run(6, 7);
    expect([...new Int32Array(memory.buffer, 300, 5)]).toEqual([42, 42, 42, 42, 0]);
    expect(memory.buffer.byteLength).toBe(2 * 65_536);
  });

  it("works on vectors: what each instruction of the resizing does", () => {
    const { memory, run } = instance(`
      (func (export "run") (param $from i32) (local $v v128) (local $w v128)
        (local.set $v (v128.load8x8_u offset=1 (local.get $from)))
        (local.set $w (i32x4.mul (i32x4.extend_low_i16x8_u (local.get $v)) (v128.load32_splat (i32.const 32))))
        (v128.store (i32.const 48) (i32x4.add (local.get $w) (i32x4.extend_high_i16x8_u (local.get $v))))
        (v128.store (i32.const 64) (i8x16.narrow_i16x8_u
          (i16x8.narrow_i32x4_s (i32x4.shr_s (local.get $w) (i32.const 1)) (local.get $w)) (local.get $v)))
        (v128.store8_lane offset=3 2 (i32.const 80) (local.get $v))
        (f32.store (i32.const 84) (f32.load (i32.mul (i32.load8_u (local.get $from)) (i32.load (i32.const 32))))))`);
    const bytes = new Uint8Array(memory.buffer);
    bytes.set([12, 1, 2, 3, 200, 5, 6, 7, 255]);
    new Int32Array(memory.buffer)[8] = 4;
    run(0);
    // 4 v[0..3] + v[4..7]; bytes of 2 v, 4 v and v, cut off at 255; lane 2 of the bytes of v as 16-bit numbers; what lies at 12 * 4.
    expect([...new Int32Array(memory.buffer, 48, 4)]).toEqual([9, 14, 19, 1055]);
    expect([...bytes.subarray(64, 80)]).toEqual([2, 4, 6, 255, 4, 8, 12, 255, 1, 2, 3, 200, 5, 6, 7, 255]);
    expect(bytes[83]).toBe(2);
    expect([...bytes.subarray(84, 88)]).toEqual([9, 0, 0, 0]);
  });

  it.each([
    [`(func (export "run") (param $x i32) (i32.xor (local.get $x)))`, "no instruction is called i32.xor"],
    [
      `(func (export "run") (param $x i32) (local.set $y (i32.const 1)))`,
      "local.set $y: nothing has this name",
    ],
    [`(func (export "run") (loop $a (br_if $b (i32.const 1))))`, "br_if $b: nothing has this name"],
    [`(func (export "run") (param $x i64))`, "$x has the type i64"],
    [`(func (export "run") (loop $a`, "a bracket is not closed"],
  ])("refuses %s", (functions, message) => {
    expect(() => assemble(`(module (memory (export "memory") 1) ${functions})`)).toThrow(message);
  });
});
