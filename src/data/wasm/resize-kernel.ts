/**
 * The inner loops of resizing, in WebAssembly with vectors: JavaScript takes four times as long. Weights are fixed-point numbers
 * with 22 bits after the point; every loop reads and writes up to 16 bytes too many, for which the caller leaves room.
 */
import { assemble } from "./assemble.ts";

const TEXT = `(module
  (memory (export "memory") 1)

  ;; Rows of RGB bytes to rows of count bytes in three planes that lie $plane bytes apart. Of each output pixel $firsts has the
  ;; first source byte within the row, and $weights the next $taps weights.
  (func (export "alongRows")
    (param $source i32) (param $rowBytes i32) (param $rows i32)
    (param $firsts i32) (param $weights i32) (param $taps i32)
    (param $target i32) (param $plane i32) (param $count i32)
    (local $end i32) (local $first i32) (local $firstsEnd i32)
    (local $from i32) (local $weight i32) (local $weightsEnd i32) (local $sum v128)
    (local.set $end (i32.add (local.get $source) (i32.mul (local.get $rows) (local.get $rowBytes))))
    (local.set $firstsEnd (i32.add (local.get $firsts) (i32.mul (local.get $count) (i32.const 4))))
    (loop $row
      (local.set $first (local.get $firsts))
      (local.set $weightsEnd (local.get $weights))
      (loop $pixel
        (local.set $from (i32.add (local.get $source) (i32.load (local.get $first))))
        (local.set $weight (local.get $weightsEnd))
        (local.set $weightsEnd (i32.add (local.get $weight) (i32.mul (local.get $taps) (i32.const 4))))
        (local.set $sum (i32x4.splat (i32.const 0x200000))) ;; one half
        (loop $tap ;; lanes: R, G, B and one that is not used
          (local.set $sum (i32x4.add (local.get $sum) (i32x4.mul
            (v128.load32_splat (local.get $weight))
            (i32x4.extend_low_i16x8_u (v128.load8x8_u (local.get $from))))))
          (local.set $from (i32.add (local.get $from) (i32.const 3)))
          (local.set $weight (i32.add (local.get $weight) (i32.const 4)))
          (br_if $tap (i32.lt_u (local.get $weight) (local.get $weightsEnd))))
        (local.set $sum (i32x4.shr_s (local.get $sum) (i32.const 22)))
        (local.set $sum (i16x8.narrow_i32x4_s (local.get $sum) (local.get $sum)))
        (local.set $sum (i8x16.narrow_i16x8_u (local.get $sum) (local.get $sum))) ;; 0 to 255
        (v128.store8_lane 0 (local.get $target) (local.get $sum))
        (v128.store8_lane 1 (i32.add (local.get $target) (local.get $plane)) (local.get $sum))
        (v128.store8_lane 2 (i32.add (local.get $target) (i32.mul (local.get $plane) (i32.const 2))) (local.get $sum))
        (local.set $target (i32.add (local.get $target) (i32.const 1)))
        (local.set $first (i32.add (local.get $first) (i32.const 4)))
        (br_if $pixel (i32.lt_u (local.get $first) (local.get $firstsEnd))))
      (local.set $source (i32.add (local.get $source) (local.get $rowBytes)))
      (br_if $row (i32.lt_u (local.get $source) (local.get $end)))))

  ;; One plane of rows of $width bytes to $count such rows. Of each $firsts has the byte where its first source row begins, and
  ;; $weights the next $taps weights. Rows are written in order: what one writes beyond its end, the next one overwrites.
  (func (export "alongColumns")
    (param $source i32) (param $width i32)
    (param $firsts i32) (param $weights i32) (param $taps i32)
    (param $target i32) (param $count i32)
    (local $firstsEnd i32) (local $from i32) (local $end i32)
    (local $weight i32) (local $weightsEnd i32) (local $at i32)
    (local $w v128) (local $low v128) (local $high v128)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local.set $firstsEnd (i32.add (local.get $firsts) (i32.mul (local.get $count) (i32.const 4))))
    (loop $row
      (local.set $from (i32.add (local.get $source) (i32.load (local.get $firsts))))
      (local.set $end (i32.add (local.get $target) (local.get $width)))
      (local.set $weightsEnd (i32.add (local.get $weights) (i32.mul (local.get $taps) (i32.const 4))))
      (loop $pixels ;; 16 at once
        (local.set $a (i32x4.splat (i32.const 0x200000)))
        (local.set $b (local.get $a))
        (local.set $c (local.get $a))
        (local.set $d (local.get $a))
        (local.set $at (local.get $from))
        (local.set $weight (local.get $weights))
        (loop $tap
          (local.set $w (v128.load32_splat (local.get $weight)))
          (local.set $low (v128.load8x8_u (local.get $at)))
          (local.set $high (v128.load8x8_u offset=8 (local.get $at)))
          (local.set $a (i32x4.add (local.get $a) (i32x4.mul (local.get $w) (i32x4.extend_low_i16x8_u (local.get $low)))))
          (local.set $b (i32x4.add (local.get $b) (i32x4.mul (local.get $w) (i32x4.extend_high_i16x8_u (local.get $low)))))
          (local.set $c (i32x4.add (local.get $c) (i32x4.mul (local.get $w) (i32x4.extend_low_i16x8_u (local.get $high)))))
          (local.set $d (i32x4.add (local.get $d) (i32x4.mul (local.get $w) (i32x4.extend_high_i16x8_u (local.get $high)))))
          (local.set $at (i32.add (local.get $at) (local.get $width)))
          (local.set $weight (i32.add (local.get $weight) (i32.const 4)))
          (br_if $tap (i32.lt_u (local.get $weight) (local.get $weightsEnd))))
        (v128.store (local.get $target) (i8x16.narrow_i16x8_u
          (i16x8.narrow_i32x4_s (i32x4.shr_s (local.get $a) (i32.const 22)) (i32x4.shr_s (local.get $b) (i32.const 22)))
          (i16x8.narrow_i32x4_s (i32x4.shr_s (local.get $c) (i32.const 22)) (i32x4.shr_s (local.get $d) (i32.const 22)))))
        (local.set $from (i32.add (local.get $from) (i32.const 16)))
        (local.set $target (i32.add (local.get $target) (i32.const 16)))
        (br_if $pixels (i32.lt_u (local.get $target) (local.get $end))))
      (local.set $target (local.get $end))
      (local.set $weights (local.get $weightsEnd))
      (local.set $firsts (i32.add (local.get $firsts) (i32.const 4)))
      (br_if $row (i32.lt_u (local.get $firsts) (local.get $firstsEnd)))))

  ;; $count bytes to the floats that $table has for them.
  (func (export "lookUp")
    (param $source i32) (param $count i32) (param $table i32) (param $target i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $source) (local.get $count)))
    (loop $byte
      (f32.store (local.get $target)
        (f32.load (i32.add (local.get $table) (i32.mul (i32.load8_u (local.get $source)) (i32.const 4)))))
      (local.set $target (i32.add (local.get $target) (i32.const 4)))
      (local.set $source (i32.add (local.get $source) (i32.const 1)))
      (br_if $byte (i32.lt_u (local.get $source) (local.get $end))))))`;

export const PAGE_BYTES = 65_536;

export interface ResizeKernel {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly alongRows: (
    ...places: [
      ...[source: number, rowBytes: number, rows: number, firsts: number, weights: number, taps: number],
      ...[target: number, plane: number, count: number],
    ]
  ) => void;
  readonly alongColumns: (
    ...places: [
      ...[source: number, width: number, firsts: number, weights: number, taps: number],
      ...[target: number, count: number],
    ]
  ) => void;
  readonly lookUp: (source: number, count: number, table: number, target: number) => void;
}

/** Node has it; its types come only with those of browsers. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

let kernel: ResizeKernel | undefined;

/** The kernel of this thread, assembled when it is first asked for. */
export function resizeKernel(): ResizeKernel {
  kernel ??= new WebAssembly.Instance(new WebAssembly.Module(assemble(TEXT))).exports as ResizeKernel;
  return kernel;
}
