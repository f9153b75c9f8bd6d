// The group normalisation kernels on the processor: their text, compiled with cuda-shim.h by the system's compiler.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DType, scope, type Tensor } from "../../src/torch/index.ts";
import { compileOnce } from "./compile-once.ts";

/** The order in which the threads of a block run between two barriers. */
export const ORDERS = ["up", "down", "shuffled"] as const;

export interface Case {
  /** [B, C, H, W] in the dtype of the kernel; `dy` likewise. */
  readonly x: Tensor;
  readonly dy: Tensor;
  /** [C], float32 or x's dtype. */
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly groups: number;
  readonly silu: boolean;
  readonly eps: number;
  /** 16-byte addresses; otherwise the kernels take one element at a time. */
  readonly aligned: boolean;
  readonly multiprocessors: number;
  readonly order: (typeof ORDERS)[number];
}

/** Numbers of x's layout [B, H, W, C], statistics [B, groups], gradients of the weights [C]. */
export interface Result {
  /** Whether one block held all pixels of its channels, forward and backward. */
  readonly small: readonly [boolean, boolean];
  readonly y: Float32Array;
  readonly mean: Float32Array;
  readonly rstd: Float32Array;
  readonly dx: Float32Array;
  readonly dweight: Float32Array;
  readonly dbias: Float32Array;
}

const KINDS: readonly DType[] = ["float32", "bfloat16", "float16"];
const bytesOf = (dtype: DType): number => (dtype === "float32" ? 4 : 2);

const bytes = (xs: Tensor): Buffer => scope(() => xs.contiguous().withBytes((raw) => Buffer.from(raw)));
const lastChannels = (xs: Tensor): Buffer => scope(() => bytes(xs.permute([0, 2, 3, 1])));

function encode({ x, dy, weight, bias, ...given }: Case): Buffer {
  const [images = 0, channels = 0, height = 0, width = 0] = x.shape;
  const head = Buffer.alloc(44);
  [
    ...[KINDS.indexOf(x.dtype), KINDS.indexOf(weight.dtype), Number(given.aligned)],
    ...[images, height * width, channels, given.groups],
    ...[Number(given.silu), given.multiprocessors, ORDERS.indexOf(given.order)],
  ].forEach((value, i) => head.writeInt32LE(value, 4 * i));
  head.writeFloatLE(given.eps, 40);
  return Buffer.concat([head, lastChannels(x), lastChannels(dy), bytes(weight), bytes(bias)]);
}

function halfToNumber(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (fraction + 1024) * 2 ** (exponent - 25));
}

function decode(raw: Buffer, dtype: DType): Float32Array {
  const copy = Uint8Array.from(raw).buffer;
  if (dtype === "float32") return new Float32Array(copy);
  const halves = new Uint16Array(copy);
  if (dtype === "float16") return Float32Array.from(halves, halfToNumber);
  return new Float32Array(Uint32Array.from(halves, (bits) => bits * 65536).buffer);
}

export interface KernelHost {
  /** Runs each case's forward and backward pass. */
  run(cases: readonly Case[]): Result[];
  /** Checks many thousand plans; gives how many were for small images and how many for large ones. */
  checkPlans(): [small: number, large: number];
  remove(): void;
}

/** Compiles the kernels for the processor, which takes some seconds when they changed. */
export async function buildKernelHost(): Promise<KernelHost> {
  const flags = ["-std=c++20", "-O1", "-Wall", "-Werror"];
  const program = await compileOnce("group-norm-host", ["test/kernels/group-norm-host.cc"], { flags });
  const folder = mkdtempSync(join(tmpdir(), "invdiff-kernels-"));
  return {
    run(cases) {
      writeFileSync(join(folder, "cases"), Buffer.concat(cases.map(encode)));
      execFileSync(program, [join(folder, "cases"), join(folder, "results")], { stdio: "pipe" });
      const results = readFileSync(join(folder, "results"));
      let offset = 0;
      const take = (count: number, dtype: DType) => {
        const end = offset + count * bytesOf(dtype);
        const values = decode(results.subarray(offset, end), dtype);
        offset = end;
        return values;
      };
      return cases.map(({ x, weight, groups }) => {
        const statistics = x.shape[0]! * groups;
        const small = [offset, offset + 4].map((at) => results.readInt32LE(at) === 1);
        offset += 8;
        return {
          small: small as [boolean, boolean],
          y: take(x.numel, x.dtype),
          mean: take(statistics, "float32"),
          rstd: take(statistics, "float32"),
          dx: take(x.numel, x.dtype),
          dweight: take(weight.numel, weight.dtype),
          dbias: take(weight.numel, weight.dtype),
        };
      });
    },
    checkPlans() {
      const [small = 0, large = 0] = execFileSync(program, ["--plans"], { encoding: "utf8" })
        .split(" ")
        .map(Number);
      return [small, large];
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
