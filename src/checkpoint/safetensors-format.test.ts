// The cases of the reference implementation's own tests (huggingface/safetensors, tensor.rs), and headers made to do harm.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bytesOf, pickle, uint, zip } from "../../test/pickle-bytes.ts";
import { CheckpointError, tensor } from "../torch/index.ts";
import { readSafetensors, readSafetensorsHeader, writeSafetensors } from "./index.ts";
import { duplicateKey } from "./json-duplicates.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "safetensors-format-"));
  path = join(folder, "x.safetensors");
});
afterEach(() => rmSync(folder, { recursive: true }));

const file = (header: string, dataBytes = 0) =>
  writeFileSync(
    path,
    bytesOf(uint(Buffer.byteLength(header), 8), Buffer.from(header), Buffer.alloc(dataBytes)),
  );

const one = (dtype: string, shape: string, end: number) =>
  `{"test":{"dtype":"${dtype}","shape":${shape},"data_offsets":[0,${end}]}}`;

function refused(message: RegExp): void {
  for (const read of [readSafetensors, readSafetensorsHeader]) {
    expect(() => read(path)).toThrow(CheckpointError);
    expect(() => read(path)).toThrow(message);
    expect(() => read(path)).toThrow(/x\.safetensors/);
  }
}

describe("accepted by the reference implementation and here", () => {
  it("a tensor, a scalar, an empty tensor", () => {
    const read = (header: string, bytes: number) => {
      file(header, bytes);
      return readSafetensors(path).get("test")!;
    };
    expect(read(one("I32", "[2,2]", 16), 16).toNumbers()).toEqual([0, 0, 0, 0]);
    expect(read(one("I32", "[]", 4), 4).shape).toEqual([]);
    expect(read(one("I32", "[]", 4), 4).item()).toBe(0);
    expect(read(one("I32", "[2,0]", 0), 0).shape).toEqual([2, 0]);
  });

  it("white space before and behind the header, and no tensors at all", () => {
    for (const header of ["{}", "{}\r \t\n", "\t\n{}\r ", `   ${one("U8", "[1]", 1)}`]) {
      file(header, header.includes("U8") ? 1 : 0);
      expect(readSafetensors(path).size).toBe(header.includes("U8") ? 1 : 0);
    }
  });

  it("writing: 8-byte aligned headers padded with spaces, then the data", () => {
    writeSafetensors(path, { "attn.0": tensor([0, 1, 2, 3, 4, 5], { shape: [1, 2, 3] }) }, {});
    const bytes = readFileSync(path);
    const length = Number(bytes.readBigUInt64LE());
    expect(length % 8).toBe(0);
    const header = bytes.toString("latin1", 8, 8 + length);
    expect(header.trimEnd()).toBe(
      '{"__metadata__":{},"attn.0":{"dtype":"F32","shape":[1,2,3],"data_offsets":[0,24]}}',
    );
    expect([0, 1, 2, 3, 4, 5].map((i) => bytes.readFloatLE(8 + length + 4 * i))).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("a header whose length begins like a pickle", () => {
    const header = one("U8", "[1]", 1);
    file(header.padEnd(0x280), 1);
    expect(readFileSync(path).subarray(0, 2)).toEqual(Buffer.of(0x80, 2));
    expect(readSafetensors(path).size).toBe(1);
  });
});

describe("refused by the reference implementation and here", () => {
  it.each<[string, string, number, RegExp]>([
    ["sizes whose product overflows", one("I32", "[2,18446744073709551614]", 16), 16, /has shape/],
    ["sizes whose bytes overflow", one("I32", "[2,9223372036854775807]", 16), 16, /has shape/],
    [
      "offsets that do not fit the shape",
      one("I32", "[2,2]", 4),
      4,
      /needs 16 bytes, but its data_offsets hold 4/,
    ],
    ["data behind the tensors", one("I32", "[2,2]", 16), 50, /extra bytes/],
    ["missing data", one("I32", "[2,2]", 16), 14, /cut off/],
    ["a list for a header", "[1]", 0, /does not start with \{/],
    ["a header that ends early", "{", 0, /not valid JSON/],
  ])("%s", (_, header, bytes, message) => {
    file(header, bytes);
    refused(message);
  });

  it("many tensors over the same bytes", () => {
    const entry = '{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}';
    file(`{${[..."0123456789"].map((i) => `"weight_${i}":${entry}`).join()}}`, 16);
    refused(/overlaps another tensor/);
  });

  it("a header too large to be read again, at writing", () => {
    const note = "a".repeat(100_000_000);
    expect(() => writeSafetensors(path, { a: tensor([1]) }, { note })).toThrow(CheckpointError);
    expect(() => writeSafetensors(path, { a: tensor([1]) }, { note })).toThrow(/header of 1000000\d\d bytes/);
  });

  it.each("U16 U32 U64 C64 F8_E4M3 F8_E5M2 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ F6_E2M3 F6_E3M2 F4".split(" "))(
    "dtype %s, which the format has and this library has not, naming the tensor",
    (dtype) => {
      file(one(dtype, "[4]", 4), 4);
      refused(
        new RegExp(`tensor "test" has dtype "${dtype}", which has no tensor here \\(convert it in Python\\)`),
      );
    },
  );
});

describe("headers made to do harm", () => {
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  it.each<[string, string, RegExp]>([
    [
      "deep lists for a dtype",
      `{"a":{"dtype":${deep},"shape":[],"data_offsets":[0,0]}}`,
      /has dtype \[\.\.\.\]/,
    ],
    [
      "deep lists for a shape",
      `{"a":{"dtype":"F32","shape":${deep},"data_offsets":[0,0]}}`,
      /has shape \[\.\.\.\]/,
    ],
    [
      "deep lists for offsets",
      `{"a":{"dtype":"F32","shape":[1],"data_offsets":${deep}}}`,
      /has data_offsets/,
    ],
    ["an endless shape", one("F32", `[${Array(100_000).fill(1).join()}]`, 4), /has 100000 dimensions/],
    ["a shape of nothing and too much", one("F32", "[1099511627776,1099511627776,0]", 0), /can be counted/],
    ["a name of megabytes", `{"${"\\n".repeat(4_000_000)}":{"dtype":"no"}}`, /has dtype "no"/],
    ["the same one twice", `{"${"x".repeat(4_000_000)}":1,"${"x".repeat(4_000_000)}":1}`, /twice/],
  ])("%s: one line says what is wrong", (_, header, message) => {
    file(header);
    refused(message);
    try {
      readSafetensors(path);
    } catch (error) {
      expect((error as Error).message.length).toBeLessThan(600);
    }
  });

  it("reach no JavaScript object", () => {
    file(`{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1);
    expect([...readSafetensors(path).keys()]).toEqual(["__proto__"]);
    expect(({} as Record<string, unknown>)["dtype"]).toBeUndefined();
  });
});

describe("files that are something else say what they are", () => {
  it.each<[string, Uint8Array, RegExp]>([
    [
      "a Git LFS pointer",
      Buffer.from("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
      /git lfs pull/,
    ],
    ["a web page", Buffer.from("<!DOCTYPE html>\n<html lang=en>"), /web page/],
    ["a PyTorch zip file", zip([{ name: "x/data.pkl", data: pickle() }]), /PyTorch file/],
    ["a pickle", pickle("}q\x00(X\x03\x00\x00\x00abc"), /PyTorch file/],
  ])("%s", (_, bytes, message) => {
    writeFileSync(path, bytes);
    refused(message);
  });
});

describe("duplicateKey", () => {
  it("tells keys from texts, through escapes and nesting", () => {
    expect(duplicateKey('{"a":"a","b":["a","a"],"c":{"a":1}}')).toBeUndefined();
    expect(duplicateKey('{"a":{"b":1},"c":{"b":1,"\\u0062" :2}}')).toBe("b");
    expect(duplicateKey('{"a\\\\":1,"a\\"":2,"a\\\\\\"":3,"a":4}')).toBeUndefined();
    expect(duplicateKey('{"x":"{\\"a\\":1,\\"a\\":2}"}')).toBeUndefined();
    expect(duplicateKey('[{"a":1},{"a":1,"a":2}]')).toBe("a");
  });
});
