import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { STORED_DTYPES } from "../../test/tensors.ts";
import { settledTensorCount } from "../../test/settled.ts";
import { golden } from "../../test/golden-dir.ts";
import { CheckpointError, type DType, scope, type Tensor, tensor, tensorCount } from "../torch/index.ts";
import { readSafetensors, readSafetensorsHeader, writeSafetensors } from "./index.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "safetensors-"));
  path = join(folder, "x.safetensors");
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A file with this header (text or object) and this much data. */
function file(header: unknown, dataBytes: number, { headerLength }: { headerLength?: bigint } = {}): void {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(headerLength ?? BigInt(json.length));
  writeFileSync(path, Buffer.concat([length, json, Buffer.alloc(dataBytes)]));
}

const entry = (begin: number, end: number, more: object = {}) => ({
  dtype: "U8",
  shape: [end - begin],
  data_offsets: [begin, end],
  ...more,
});

const dispose = (tensors: Map<string, Tensor>) => tensors.forEach((tensor) => tensor.dispose());

describe("reading", () => {
  it("reads diffusers' weights: names, shapes, values", () => {
    const tensors = readSafetensors(golden("tiny-sd2/unet/diffusion_pytorch_model.safetensors"));
    const weight = tensors.get("conv_in.weight")!;
    expect(weight.shape).toEqual([16, 4, 3, 3]);
    expect(weight.dtype).toBe("float32");
    const bytes = readFileSync(golden("tiny-sd2/unet/diffusion_pytorch_model.safetensors"));
    const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString()) as Record<
      string,
      { data_offsets: [number] }
    >;
    const first = 8 + Number(bytes.readBigUInt64LE()) + header["conv_in.weight"]!.data_offsets[0];
    expect(weight.toNumbers()[0]).toBe(bytes.readFloatLE(first));
    dispose(tensors);
  });

  it("lets no scope release the tensors, and leaves none behind", () => {
    const before = settledTensorCount();
    const tensors = scope(() => readSafetensors(golden("schedulers.safetensors")));
    expect(tensors.get("alphas_cumprod")!.slice(0, 0, 1).item()).toBeCloseTo(0.99915, 5);
    dispose(tensors);
    expect(tensorCount()).toBeLessThanOrEqual(before + 1); // the slice above
  });

  it("never changes the file through a tensor", () => {
    writeSafetensors(path, { a: tensor([1, 2, 3]) });
    const tensors = readSafetensors(path);
    tensors.get("a")!.mul_(2);
    expect(tensors.get("a")!.toNumbers()).toEqual([2, 4, 6]);
    const again = readSafetensors(path);
    expect(again.get("a")!.toNumbers()).toEqual([1, 2, 3]);
  });

  it("copies what is not aligned", () => {
    const data = Buffer.alloc(9);
    data.writeFloatLE(1.5, 1);
    data.writeFloatLE(-2, 5);
    const json = Buffer.from(
      JSON.stringify({ b: entry(0, 1), a: { dtype: "F32", shape: [2], data_offsets: [1, 9] } }),
    );
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    writeFileSync(path, Buffer.concat([length, json, data]));
    expect(readSafetensors(path).get("a")!.toNumbers()).toEqual([1.5, -2]);
  });

  it("reads header and metadata alone", () => {
    writeSafetensors(path, { a: tensor([[1, 2]]) }, { format: "pt", step: "7" });
    const header = readSafetensorsHeader(path);
    expect(header.metadata).toEqual({ format: "pt", step: "7" });
    expect(header.tensors.get("a")).toMatchObject({ dtype: "float32", shape: [1, 2] });
  });
});

describe("writing and reading back", () => {
  it.each(STORED_DTYPES)("%s keeps dtype, shape and values", (dtype) => {
    const values =
      dtype === "bool"
        ? [0, 1, 1, 0, 1, 0]
        : dtype === "uint8"
          ? [0, 1, 2, 3, 200, 255]
          : [0, 1, -2, 3, 100, -128];
    writeSafetensors(path, { x: tensor(values, { shape: [2, 3], dtype }) });
    const x = readSafetensors(path).get("x")!;
    expect(x.dtype).toBe(dtype);
    expect(x.shape).toEqual([2, 3]);
    expect(x.toNumbers()).toEqual(values);
  });

  it("keeps scalars, empty tensors, transposed ones and odd names", () => {
    const written = {
      scalar: tensor(4.5),
      empty: tensor([], { shape: [0, 3] }),
      transposed: tensor([
        [1, 2, 3],
        [4, 5, 6],
      ]).transpose(0, 1),
      "7": tensor([7]),
      'a "quoted" \\ ключ': tensor([8]),
      odd: tensor([1, 0, 1], { dtype: "bool" }),
    };
    writeSafetensors(path, written);
    const read = readSafetensors(path);
    expect(new Set(read.keys())).toEqual(new Set(Object.keys(written)));
    for (const [name, value] of Object.entries(written)) {
      expect(read.get(name)!.shape).toEqual(value.shape);
      expect(read.get(name)!.toNumbers()).toEqual(value.toNumbers());
    }
  });

  it("aligns every tensor, whatever the mixture", () => {
    writeSafetensors(
      path,
      new Map([
        ["a", tensor([1], { dtype: "uint8" })],
        ["b", tensor([1], { dtype: "int64" })],
        ["c", tensor([1, 2, 3], { dtype: "float16" })],
      ]),
    );
    const { tensors } = readSafetensorsHeader(path);
    expect(tensors.get("b")!.begin % 8).toBe(0);
    expect(tensors.get("c")!.begin % 2).toBe(0);
  });

  it("replaces a file that is being read without disturbing the reader", () => {
    writeSafetensors(path, { a: tensor([1, 2]) });
    const old = readSafetensors(path).get("a")!;
    writeSafetensors(path, { a: old.add(10) });
    expect(old.toNumbers()).toEqual([1, 2]);
    expect(readSafetensors(path).get("a")!.toNumbers()).toEqual([11, 12]);
  });

  it("keeps the old file and no rubbish when writing fails", () => {
    writeSafetensors(path, { a: tensor([1]) });
    const gone = tensor([2]);
    gone.dispose();
    expect(() => writeSafetensors(path, { a: tensor([1]), b: gone })).toThrow();
    expect(() => writeSafetensors(path, { __metadata__: tensor([1]) })).toThrow(CheckpointError);
    expect(readSafetensors(path).get("a")!.toNumbers()).toEqual([1]);
    expect(readdirSync(folder)).toEqual(["x.safetensors"]);
  });

  it("round-trips any set of tensors", () => {
    const value = fc.record({
      dtype: fc.constantFrom<DType[]>("float32", "float16", "bfloat16", "int64", "uint8"),
      shape: fc.array(fc.nat(3), { maxLength: 3 }),
      seed: fc.nat(100),
    });
    fc.assert(
      fc.property(fc.dictionary(fc.string({ minLength: 1 }), value, { maxKeys: 6 }), (described) => {
        scope(() => {
          const tensors = new Map(
            Object.entries(described).map(([name, { dtype, shape, seed }]) => {
              const count = shape.reduce((a, b) => a * b, 1);
              return [
                name,
                tensor(
                  Array.from({ length: count }, (_, i) => (i * 7 + seed) % 128),
                  { shape, dtype },
                ),
              ];
            }),
          );
          writeSafetensors(path, tensors);
          const read = readSafetensors(path);
          expect(read.size).toBe(tensors.size);
          for (const [name, original] of tensors) {
            expect([read.get(name)!.dtype, read.get(name)!.shape]).toEqual([original.dtype, original.shape]);
            expect(read.get(name)!.toNumbers()).toEqual(original.toNumbers());
          }
          dispose(read);
        });
      }),
      { numRuns: 60, seed: 1 },
    );
  });
});

describe("a malformed file is refused with its name", () => {
  const refused = (message: RegExp) => {
    expect(() => readSafetensors(path)).toThrow(CheckpointError);
    expect(() => readSafetensors(path)).toThrow(message);
    expect(() => readSafetensors(path)).toThrow(/x\.safetensors/);
  };

  it("missing", () => refused(/does not exist/));
  it("a folder", () => {
    expect(() => readSafetensors(folder)).toThrow(/not a regular file/);
  });
  it("empty", () => {
    writeFileSync(path, "");
    refused(/0 bytes/);
  });
  it("header length above the cap", () => {
    file("{}", 0, { headerLength: 2n ** 63n });
    refused(/header length 9223372036854775808 is above the limit/);
  });
  it("header longer than the file", () => {
    file("{}", 0, { headerLength: 1000n });
    refused(/header ends at byte 1008/);
  });
  it("header not starting with a brace", () => {
    file("[]", 0);
    refused(/does not start with \{/);
  });
  it("header of no bytes", () => {
    file("", 0);
    refused(/does not start with \{/);
  });
  it("header not JSON", () => {
    file("{oops", 0);
    refused(/not valid JSON/);
  });
  it("header not UTF-8", () => {
    writeFileSync(path, Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0xff, 0x7d]));
    refused(/not UTF-8/);
  });
  it("duplicate name", () => {
    const one = JSON.stringify(entry(0, 4));
    file(`{"a":${one},"\\u0061":${one}}`, 4);
    refused(/key "a" twice/);
  });
  it("duplicate key inside an entry", () => {
    file('{"a":{"dtype":"U8","shape":[1],"shape":[2],"data_offsets":[0,2]}}', 2);
    refused(/key "shape" twice/);
  });
  it("unknown dtype", () => {
    file({ a: entry(0, 4, { dtype: "F8_E5M2" }) }, 4);
    refused(/"a" has dtype "F8_E5M2", which has no tensor here \(convert it in Python\); supported are F64/);
  });
  it("dtype that is a property of every object", () => {
    file({ a: entry(0, 4, { dtype: "constructor" }) }, 4);
    refused(/dtype "constructor"/);
  });
  it("entry that is no object", () => {
    file({ a: 5 }, 4);
    refused(/"a" has no description|"a" has dtype/);
  });
  it.each([[-4], ["4"], [1.5], [null], [2 ** 60]])("size %j", (size) => {
    file({ a: entry(0, 4, { shape: [size] }) }, 4);
    refused(/"a" .*shape/);
  });
  it("shape product that overflows", () => {
    file({ a: entry(0, 4, { shape: [2 ** 40, 2 ** 40] }) }, 4);
    refused(/"a" has shape .* more bytes than can be counted/);
  });
  it("shape and offsets that disagree", () => {
    file({ a: entry(0, 4, { shape: [3] }) }, 4);
    refused(/"a" of dtype U8 and shape \[3\] needs 3 bytes, but its data_offsets hold 4/);
  });
  it("offsets backwards", () => {
    file({ a: entry(0, 4, { data_offsets: [4, 0] }) }, 4);
    refused(/"a" ends at byte 0, before its begin 4/);
  });
  it("offsets that are no pair", () => {
    file({ a: entry(0, 4, { data_offsets: [0] }) }, 4);
    refused(/"a" has data_offsets \[0\]/);
  });
  it("a hole", () => {
    file({ a: entry(0, 2), b: entry(3, 5) }, 5);
    refused(/"b" begins at data byte 3, expected 2: it leaves a hole/);
  });
  it("not beginning at 0", () => {
    file({ a: entry(1, 3) }, 3);
    refused(/"a" begins at data byte 1, expected 0/);
  });
  it("an overlap", () => {
    file({ a: entry(0, 3), b: entry(2, 5) }, 5);
    refused(/"b" .* it overlaps/);
  });
  it("cut off", () => {
    file({ a: entry(0, 10) }, 9);
    refused(/cover 10 bytes, but 9 follow .*cut off/);
  });
  it("bytes after the last tensor", () => {
    file({ a: entry(0, 10) }, 11);
    refused(/cover 10 bytes, but 11 follow .*extra bytes/);
  });
  it("metadata that is not text", () => {
    file({ __metadata__: { step: 3 }, a: entry(0, 1) }, 1);
    refused(/__metadata__ is not a map from text to text/);
  });

  it("never crashes on random or damaged bytes", () => {
    writeSafetensors(path, {
      a: tensor([
        [1, 2],
        [3, 4],
      ]),
      b: tensor([1, 2, 3], { dtype: "uint8" }),
    });
    const good = readFileSync(path);
    const damaged = fc
      .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
      .map((edits) => {
        const bytes = Buffer.from(good);
        for (const [at, value] of edits) bytes[at] = value;
        return bytes;
      });
    const cut = fc.nat(good.length).map((length) => good.subarray(0, length));
    const random = fc.uint8Array({ maxLength: 64 });
    fc.assert(
      fc.property(fc.oneof(damaged, cut, random), (bytes) => {
        writeFileSync(path, bytes);
        try {
          const tensors = readSafetensors(path);
          for (const value of tensors.values()) value.toNumbers();
          dispose(tensors);
        } catch (error) {
          expect(error).toBeInstanceOf(CheckpointError);
        }
      }),
      { numRuns: 300, seed: 2 },
    );
    expect(existsSync(path)).toBe(true);
  });
});
