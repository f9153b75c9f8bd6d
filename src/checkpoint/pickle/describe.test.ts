import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  bytesOf,
  call,
  dict,
  global,
  int,
  legacyFile,
  list,
  pickle,
  storage,
  tensor,
  text,
  torchEntries,
  tuple,
  uint,
  zip,
} from "../../../test/pickle-bytes.ts";
import { torchFile, torchFileNames } from "../../../test/torch-files.ts";
import { CheckpointError, Tensor, tensorCount } from "../../torch/index.ts";
import { describeTorchFile, readTorchFile, type TorchValue } from "./index.ts";
import { OP } from "./opcodes.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "describe-"));
  path = join(folder, "x.pth");
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Dotted path, shape and values' number of every tensor of a tree. */
function tensorsBelow(value: TorchValue, at: string[] = []): [string, readonly number[]][] {
  if (value instanceof Tensor) return [[at.join("."), value.shape]];
  if (value instanceof Map)
    return [...value].flatMap(([key, item]) => tensorsBelow(item, [...at, String(key as number)]));
  if (Array.isArray(value))
    return (value as TorchValue[]).flatMap((item, index) => tensorsBelow(item, [...at, String(index)]));
  return [];
}

describe("describeTorchFile", () => {
  it.each(torchFileNames().filter((name) => name !== "storage.pth"))("%s: all tensors, none made", (name) => {
    const count = tensorCount();
    const { entries, globals } = describeTorchFile(torchFile(name));
    expect(tensorCount()).toBeLessThanOrEqual(count);
    expect(entries.map((entry) => [entry.name, entry.shape])).toEqual(
      tensorsBelow(readTorchFile(torchFile(name))),
    );
    expect(globals.filter((global) => global.includes("refused"))).toEqual([]);
  });

  it("tells the kind, the protocol, dtypes, bytes and what else is there", () => {
    const { entries, other, ...rest } = describeTorchFile(torchFile("lightning.ckpt"));
    expect(rest).toMatchObject({ kind: "zip", protocol: 2 });
    expect(rest.globals).toEqual(expect.arrayContaining(["argparse.Namespace", "numpy.dtype"]));
    expect(entries).toContainEqual({
      name: "state_dict.0.weight",
      dtype: "float32",
      shape: [4, 3],
      bytes: 48,
    });
    expect(entries).toContainEqual({ name: "rng.numpy.1", dtype: "uint32", shape: [624], bytes: 2496 });
    expect(other).toContainEqual({ path: "epoch", type: "int", summary: "3" });
    expect(other).toContainEqual({ path: "hyper_parameters.name", type: "str", summary: '"tiny"' });
    expect(other).toContainEqual({ path: "hyper_parameters.dtype", type: "global", summary: "bfloat16" });
    expect(other).toContainEqual({ path: "best", type: "float", summary: "0.25" });
    expect(describeTorchFile(torchFile("views-legacy.pth"))).toMatchObject({ kind: "legacy", protocol: 2 });
    expect(describeTorchFile(torchFile("data-5.pkl"))).toMatchObject({ kind: "pickle", protocol: 5 });
    expect(describeTorchFile(torchFile("data-0.pkl"))).toMatchObject({ kind: "pickle", protocol: 0 });
  });

  it("lists the tensors of a whole pickled model, whose class is refused", () => {
    const parameters = dict(text("weight"), tensor());
    const module = bytesOf([
      global("__main__.Net"),
      OP.EMPTY_TUPLE,
      OP.NEWOBJ,
      dict(text("_parameters"), parameters),
      OP.BUILD,
    ]);
    writeFileSync(path, zip(torchEntries(pickle(module))));
    const { entries, other, globals } = describeTorchFile(path);
    expect(entries).toEqual([{ name: "_parameters.weight", dtype: "float32", shape: [4], bytes: 16 }]);
    expect(other).toEqual([{ path: "", type: "__main__.Net", summary: "not read" }]);
    expect(globals).toContain("__main__.Net (refused)");
  });

  it("goes on after a tensor that cannot be made, and says why", () => {
    const bad = tensor({ size: tuple(int(5)) });
    const float8 = call(
      "torch._utils._rebuild_tensor_v3",
      ...[
        storage(),
        int(0),
        tuple(int(4)),
        tuple(int(1)),
        OP.NEWFALSE,
        OP.NONE,
        global("torch.float8_e4m3fn"),
      ],
    );
    writeFileSync(
      path,
      zip(torchEntries(pickle(dict(text("bad"), bad, text("f8"), float8, text("ok"), tensor())))),
    );
    const { entries, other, globals } = describeTorchFile(path);
    expect(entries.map(({ name }) => name)).toEqual(["ok"]);
    expect(other[0]!.type).toMatch(/_rebuild_tensor_v2 \(unusable: .*reaches element 5 of a storage of 4/);
    expect(other[1]!.type).toMatch(/_rebuild_tensor_v3 \(unusable: .*float8_e4m3fn/);
    expect(globals.filter((name) => name.includes("refused"))).toEqual([]);
  });

  it("lists long lists as one entry and stops at ten thousand entries", () => {
    const numbers = list(...Array.from({ length: 40 }, (_, i) => int(i)));
    const many = dict(...Array.from({ length: 12_000 }, (_, i) => bytesOf(int(i), OP.NONE)));
    writeFileSync(path, pickle(tuple(numbers, many)));
    const { other } = describeTorchFile(path);
    expect(other[0]).toEqual({ path: "0", type: "list", summary: "40 values" });
    expect(other).toHaveLength(10_001);
    expect(other.at(-1)!.summary).toMatch(/more is not listed/);
  });

  it("reads no tensor data: a file of a terabyte takes as long as any other", () => {
    const numel = 2 ** 38;
    const bytes = legacyFile(pickle(dict(text("a"), tensor({ of: storage({ numel }) }))));
    // Behind the pickle: the list of storages, the count, and a hole in the file.
    const withoutList = bytes.subarray(0, bytes.length - pickle(list()).length);
    writeFileSync(path, bytesOf(withoutList, pickle(list(text("0"))), uint(numel, 8)));
    const size = withoutList.length + pickle(list(text("0"))).length + 8 + 4 * numel;
    truncateSync(path, size);
    const { entries, fileBytes } = describeTorchFile(path);
    expect(fileBytes).toBe(size);
    expect(entries).toEqual([{ name: "a", dtype: "float32", shape: [4], bytes: 16 }]);
  });
});

describe("files that are something else say what they are", () => {
  it.each<[string, string | Uint8Array, RegExp]>([
    [
      "a Git LFS pointer",
      "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n",
      /Git LFS pointer.*git lfs pull/,
    ],
    ["a web page", "\n<!DOCTYPE html><html><head>", /web page/],
    ["a web page without a doctype", "<HTML><body>404", /web page/],
    ["an error of a store", '<?xml version="1.0"?><Error>', /web page/],
    ["a safetensors file", bytesOf(uint(32, 8), '{"a":{"dtype":"F32"}}'), /safetensors file/],
    ["a tar archive", bytesOf("pickle", Buffer.alloc(251), "ustar", Buffer.alloc(250)), /tar archive/],
    [
      "a gzip archive",
      bytesOf("\x1f\x8b\x08", Buffer.alloc(20)),
      /opcode 0x1f at byte 0 .*is it a PyTorch file\?/,
    ],
    ["a text", "hello world, this is no pickle", /opcode 0x68|memo entry/],
    ["nothing", "", /it has 0 bytes/],
    ["one byte", bytesOf(OP.PROTO), /it has 1 bytes/],
    ["two pickles", bytesOf(pickle(int(1)), pickle(int(2))), /13 bytes follow its pickle/],
    ["a big-endian file", legacyFile(pickle(OP.NONE), {}, { littleEndian: false }), /little-endian/],
    [
      "a file of another version",
      legacyFile(pickle(OP.NONE), {}, { version: 1002 }),
      /format version is not 1001/,
    ],
    [
      "a legacy file with more behind",
      bytesOf(legacyFile(pickle(OP.NONE)), "x"),
      /1 bytes follow its last storage/,
    ],
  ])("%s", (_, content, message) => {
    writeFileSync(path, content);
    for (const read of [readTorchFile, describeTorchFile]) {
      expect(() => read(path)).toThrow(CheckpointError);
      expect(() => read(path)).toThrow(message);
      expect(() => read(path)).toThrow(/x\.pth/);
    }
  });

  it("a folder, a missing file", () => {
    expect(() => readTorchFile(folder)).toThrow(/is not a regular file/);
    expect(() => readTorchFile(join(folder, "none.pth"))).toThrow(/none\.pth does not exist/);
  });

  it("a legacy file whose storages do not fit its pickle", () => {
    const object = pickle(tensor());
    const four = Float32Array.of(1, 2, 3, 4);
    const read = (bytes: Uint8Array) => () => {
      writeFileSync(path, bytes);
      return readTorchFile(path);
    };
    expect((read(legacyFile(object, { 0: four }))() as Tensor).toNumbers()).toEqual([1, 2, 3, 4]);
    expect(read(legacyFile(object))).toThrow(/storage 0 is not in the file/);
    expect(read(legacyFile(object, { 1: four }))).toThrow(/does not fit its pickle/);
    expect(read(legacyFile(object, { 0: four.subarray(0, 3).slice() }))).toThrow(
      /has 3 elements, the pickle says 4/,
    );
    expect(read(legacyFile(object, { 0: four }).subarray(0, -1))).toThrow(/16 bytes are needed/);
  });

  it("reads views of storages, as torch wrote them long ago", () => {
    const view = tuple(text("v"), int(1), int(2));
    const id = (...more: Uint8Array[]) =>
      bytesOf(
        tuple(text("storage"), global("torch.FloatStorage"), text("0"), text("cpu"), int(4), ...more),
        OP.BINPERSID,
      );
    const part = tensor({ of: id(view), size: tuple(int(2)) });
    writeFileSync(path, legacyFile(pickle(part), { 0: Float32Array.of(1, 2, 3, 4) }));
    expect((readTorchFile(path) as Tensor).toNumbers()).toEqual([2, 3]);
    const beyond = id(tuple(text("v"), int(3), int(2)));
    writeFileSync(path, legacyFile(pickle(tensor({ of: beyond })), { 0: Float32Array.of(1, 2, 3, 4) }));
    expect(() => readTorchFile(path)).toThrow(/reaches beyond/);
  });

  it("reads what Python 2 wrote: byte strings as texts, ordered dicts as lists of pairs", () => {
    const old = (value: string) => bytesOf(OP.SHORT_BINSTRING, value.length, value);
    const pairs = list(list(old("a"), int(1)), list(old("b\xe9"), tensor()));
    writeFileSync(path, zip(torchEntries(pickle(call("collections.OrderedDict", pairs)))));
    const read = readTorchFile(path) as Map<string, unknown>;
    expect([...read.keys()]).toEqual(["a", "bé"]);
    expect((read.get("bé") as Tensor).toNumbers()).toEqual([1, 2, 3, 4]);
  });
});
