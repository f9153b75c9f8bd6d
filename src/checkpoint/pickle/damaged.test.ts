// Damaged files never crash, never throw anything but CheckpointError, never take much memory.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, it } from "vitest";
import { settledTensorCount } from "../../../test/settled.ts";
import { asComparable, disposeTree, torchFile, torchFileNames } from "../../../test/torch-files.ts";
import { CheckpointError } from "../../torch/index.ts";
import { describeTorchFile, readTorchFile, readTorchStateDict } from "./index.ts";
import { OP } from "./opcodes.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "damaged-"));
  path = join(folder, "x.pth");
});
afterEach(() => rmSync(folder, { recursive: true }));

const files = torchFileNames().map((name) => readFileSync(torchFile(name)));
const opcodes = Object.values(OP);

type Edit = (bytes: Buffer) => Buffer;

const position = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const at = (bytes: Buffer, fraction: number) => Math.floor(fraction * bytes.length);
const replace = (value: (bytes: Buffer) => Uint8Array, fraction: number): Edit => {
  return (bytes) => {
    const [begin, piece] = [at(bytes, fraction), value(bytes)];
    return Buffer.concat([bytes.subarray(0, begin), piece, bytes.subarray(begin + piece.length)]);
  };
};
const edit: fc.Arbitrary<Edit> = fc.oneof(
  // One byte; an opcode; a number that is often too large; a piece moved; a piece doubled; an end cut off.
  fc.tuple(position, fc.nat(255)).map(([where, value]) => replace(() => Buffer.of(value), where)),
  fc
    .tuple(position, fc.constantFrom(...opcodes))
    .map(([where, value]) => replace(() => Buffer.of(value), where)),
  fc
    .tuple(
      position,
      fc.constantFrom(0n, 1n, 255n, 2n ** 16n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 63n, 2n ** 64n - 1n),
    )
    .map(([where, value]) => {
      const number = Buffer.alloc(8);
      number.writeBigUInt64LE(value);
      return replace(() => number, where);
    }),
  fc
    .tuple(position, position, fc.nat(64))
    .map(([from, to, length]) =>
      replace((bytes) => bytes.subarray(at(bytes, from), at(bytes, from) + length), to),
    ),
  fc.tuple(position, fc.nat(64), fc.nat(40)).map(([where, length, times]): Edit => (bytes) => {
    const begin = at(bytes, where);
    const piece = bytes.subarray(begin, begin + length);
    const repeated = new Array<Uint8Array>(times).fill(piece);
    return Buffer.concat([bytes.subarray(0, begin), ...repeated, bytes.subarray(begin)]);
  }),
  position.map(
    (where): Edit =>
      (bytes) =>
        bytes.subarray(0, at(bytes, where)),
  ),
);

it("files of every format with a few edits", () => {
  settledTensorCount();
  const before = process.memoryUsage().rss;
  let refusals = 0;
  const attempt = (read: () => void) => {
    try {
      read();
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      expect(error.message).toContain(path);
      refusals++;
    }
  };
  fc.assert(
    fc.property(fc.constantFrom(...files), fc.array(edit, { minLength: 1, maxLength: 3 }), (file, edits) => {
      writeFileSync(
        path,
        edits.reduce<Buffer>((bytes, change) => change(bytes), file),
      );
      attempt(() => {
        const value = readTorchFile(path);
        asComparable(value); // touches every element
        disposeTree(value);
      });
      attempt(() => readTorchStateDict(path).forEach((tensor) => tensor.dispose()));
      attempt(() => describeTorchFile(path));
    }),
    { numRuns: 1500, seed: 3 },
  );
  expect(refusals).toBeGreaterThan(1500);
  settledTensorCount();
  expect(process.memoryUsage().rss - before).toBeLessThan(200 * 2 ** 20);
});

it("random bytes behind every beginning", () => {
  const heads = [...new Set(files.map((file) => file.subarray(0, 4).toString("latin1")))];
  const random = fc.tuple(fc.constantFrom("", ...heads), fc.uint8Array({ maxLength: 200 }));
  fc.assert(
    fc.property(random, ([head, rest]) => {
      writeFileSync(path, Buffer.concat([Buffer.from(head, "latin1"), rest]));
      for (const read of [readTorchFile, describeTorchFile]) {
        try {
          read(path);
        } catch (error) {
          expect(error).toBeInstanceOf(CheckpointError);
        }
      }
    }),
    { numRuns: 1000, seed: 4 },
  );
});
