// Files made to run code, to exhaust memory or to read beyond their data.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  bytesOf,
  call,
  data,
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
import { settledTensorCount } from "../../../test/settled.ts";
import type { Tensor } from "../../torch/index.ts";
import { CheckpointError, tensorCount } from "../../torch/index.ts";
import { describeTorchFile, readTorchFile, readTorchStateDict } from "./index.ts";
import { OP } from "./opcodes.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hostile-"));
  path = join(folder, "x.ckpt");
});
afterEach(() => rmSync(folder, { recursive: true }));

const errorOf = (read: (path: string) => unknown): Error => {
  try {
    read(path);
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
};

/** The ways of reading refuse the file with its name and this message; nothing is left. */
function refused(bytes: Uint8Array, message: RegExp, reads = [readTorchFile, readTorchStateDict]): void {
  writeFileSync(path, bytes);
  const before = settledTensorCount();
  for (const read of reads) {
    const error = errorOf(read);
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error.message).toMatch(message);
    expect(error.message).toContain("x.ckpt");
  }
  expect(tensorCount()).toBeLessThanOrEqual(before);
}

/** Like `refused`, for what only reading the whole tree finds. */
const refusedTree = (bytes: Uint8Array, message: RegExp): void => refused(bytes, message, [readTorchFile]);

const zipped = (object: Uint8Array) => zip(torchEntries(object));

describe("code", () => {
  const touch = () => text(`touch ${join(folder, "pwned")}`);
  const attacks: [string, string, () => Buffer][] = [
    ["os.system", "posix.system", () => call("posix.system", touch())],
    ["os.system on Windows", "nt.system", () => call("nt.system", touch())],
    ["subprocess", "subprocess.Popen", () => call("subprocess.Popen", touch())],
    ["eval", "builtins.eval", () => call("builtins.eval", text("1"))],
    ["eval of Python 2", "__builtin__.eval", () => call("__builtin__.eval", text("1"))],
    ["exec", "builtins.exec", () => call("builtins.exec", text("1"))],
    ["__import__", "builtins.__import__", () => call("builtins.__import__", text("os"))],
    [
      "a getattr chain",
      "builtins.getattr",
      () => call("builtins.getattr", global("torch.Tensor"), text("x")),
    ],
    ["a dotted name", "torch._utils.os.system", () => call("torch._utils.os.system", touch())],
    ["torch.load", "torch.load", () => call("torch.load", text("y"))],
    ["torch.hub", "torch.hub.load", () => call("torch.hub.load", text("y"))],
    ["torch.jit", "torch.jit.load", () => call("torch.jit.load", text("y"))],
    [
      "numpy's runstring",
      "numpy.testing._private.utils.runstring",
      () => call("numpy.testing._private.utils.runstring", text("1"), dict()),
    ],
    ["numpy's own pickles", "numpy.load", () => call("numpy.load", text("y"), OP.NONE, OP.NEWTRUE)],
    ["functools.partial", "functools.partial", () => call("functools.partial", global("torch.Tensor"))],
    ["a class", "__main__.Model", () => bytesOf(global("__main__.Model"), OP.EMPTY_TUPLE, OP.NEWOBJ)],
    ["a sibling of an allowed one", "collections.deque", () => call("collections.deque", list())],
    ["a name on the prototype", "constructor.constructor", () => call("constructor.constructor", text("1"))],
    [
      "a name of control characters",
      '"os.\\u001b[2Jsystem"',
      () => bytesOf(text("os"), text("\u001b[2Jsystem"), OP.STACK_GLOBAL),
    ],
  ];

  it.each(attacks)("%s is refused by name, in every format, and listed", (_, name, attack) => {
    const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    const names = new RegExp(`names the Python object ${escaped} ?(\\(at a\\))?, which is not among`);
    const object = pickle(dict(text("a"), attack(), text("t"), OP.NONE));
    for (const bytes of [object, zipped(object), legacyFile(object)]) {
      refused(bytes, names);
      refused(bytes, /nothing was run.*torch\.load\('x\.ckpt'/);
      const { globals, other } = describeTorchFile(path);
      expect(globals).toContain(`${name} (refused)`);
      expect(other).toContainEqual(expect.objectContaining({ path: "t", type: "None" }));
    }
    expect(existsSync(join(folder, "pwned"))).toBe(false);
  });

  it("in a file inside the file is refused and listed", () => {
    const inner = legacyFile(pickle(call("posix.system", touch())));
    refused(pickle(call("torch.storage._load_from_bytes", data(inner))), /Python object posix\.system/);
    expect(describeTorchFile(path).globals).toContain("posix.system (refused)");
    const deeper = legacyFile(pickle(call("torch.storage._load_from_bytes", data(inner))));
    const deepest = legacyFile(pickle(call("torch.storage._load_from_bytes", data(deeper))));
    refused(pickle(call("torch.storage._load_from_bytes", data(deepest))), /files in files in files/);
  });

  it("that is only named is not called when called", () => {
    refused(pickle(call("builtins.list", text("x"))), /calls builtins\.list, which may only be named/);
    refused(pickle(call("torch.FloatStorage", text("x"))), /calls torch\.FloatStorage/);
    refused(pickle(call("argparse.Namespace", text("x"))), /calls argparse\.Namespace/);
    refused(pickle(text("x"), OP.EMPTY_TUPLE, OP.REDUCE), /calls a str/);
    refused(pickle(global("torch.Size"), text("x"), OP.REDUCE), /calls torch\.Size with a str/);
    refused(pickle(global("torch.Size"), OP.EMPTY_TUPLE, OP.NEWOBJ), /makes an object of torch\.Size/);
    refused(pickle(int(1), dict(), OP.BUILD), /gives a state to a int/);
  });

  it("cannot come in by other functions that rebuild", () => {
    const rebuild = (cls: string, base = "builtins.object") =>
      pickle(call("copyreg._reconstructor", global(cls), global(base), OP.NONE));
    refused(rebuild("torch.Size"), /makes an object of torch\.Size/);
    refused(rebuild("argparse.Namespace", "builtins.list"), /makes an object of argparse\.Namespace/);
    const fromType = (name: string, cls = "torch.Tensor") =>
      pickle(call("torch._tensor._rebuild_from_type_v2", global(name), global(cls), tuple(), dict()));
    refused(fromType("torch.storage._load_from_bytes"), /is rebuilt by torch\.storage\._load_from_bytes/);
    refused(fromType("torch._utils._rebuild_tensor_v2", "torch.Size"), /class torch\.Size/);
    refused(pickle(call("torch.device", text("os.system"), int(0))), /device/);
    refused(pickle(call("collections.defaultdict", text("factory"))), /factory is a str/);
  });

  it("has no opcodes of Python 2's classes, registries or buffers", () => {
    for (const opcode of ["i", "o", "\x82", "\x83", "\x84", "\x97", "\x98", "P", "S", "\xff"])
      refused(pickle(opcode, "x\ny\n"), /is not one that Python writes/);
  });

  it("reaches no JavaScript object through keys and attributes", () => {
    const evil = dict(text("polluted"), OP.NEWTRUE);
    const namespace = bytesOf(global("argparse.Namespace"), OP.EMPTY_TUPLE, OP.NEWOBJ);
    const state = dict(text("__proto__"), evil, text("constructor"), evil);
    writeFileSync(path, pickle(tuple(state, [namespace, state, OP.BUILD])));
    const [read, object] = readTorchFile(path) as Map<string, unknown>[];
    for (const value of [read!, object!]) {
      expect(value.get("__proto__")).toEqual(new Map([["polluted", true]]));
      expect(Object.keys(value)).toEqual([]);
    }
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    expect((new Map() as unknown as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});

describe("trees", () => {
  const put = (index: number) => bytesOf(OP.LONG_BINPUT, uint(index, 4));
  const get = (index: number) => bytesOf(OP.LONG_BINGET, uint(index, 4));

  it("that contain themselves are refused, and described", () => {
    const self = /contains itself/;
    refusedTree(pickle(OP.EMPTY_LIST, put(0), get(0), OP.APPEND), self);
    expect(describeTorchFile(path).other).toContainEqual({
      path: "0",
      type: "list",
      summary: "the same as the top",
    });
    refusedTree(pickle(OP.EMPTY_DICT, put(0), text("a"), get(0), OP.SETITEM), /contains itself \(at a\)/);
    refused(pickle(OP.EMPTY_LIST, put(0), get(0), OP.TUPLE1, put(1), OP.APPEND, get(1)), /left on the stack/);
    refusedTree(pickle(OP.EMPTY_LIST, put(0), OP.POP, get(0), get(0), OP.TUPLE1, OP.APPEND), self);
  });

  it("that are too deep are refused, and described", () => {
    const deep = (depth: number) =>
      pickle(Buffer.alloc(depth, OP.EMPTY_LIST), Buffer.alloc(depth - 1, OP.APPEND));
    refusedTree(deep(201), /nested more than 200 deep/);
    refusedTree(deep(100_000), /nested more than 200 deep/);
    expect(describeTorchFile(path).other.at(-1)!.summary).toMatch(/nested more than 200 deep/);
    const tuples = pickle(OP.EMPTY_TUPLE, Buffer.alloc(100_000, OP.TUPLE1));
    refusedTree(tuples, /nested more than 200 deep/);
    const shared = [...Array(150).keys()].map((i) => [OP.TUPLE1, put(i)]);
    // 150 below the top and 150 more below those by way of the memo.
    refusedTree(
      pickle(OP.EMPTY_TUPLE, ...shared, OP.TUPLE1, Buffer.alloc(149, OP.TUPLE1)),
      /nested more than 200/,
    );
    writeFileSync(path, deep(200));
    expect(readTorchFile(path)).toBeInstanceOf(Array);
  });

  it("that double at every level are refused, and described", () => {
    const doubling = (make: (inner: Buffer) => Buffer, levels = 64) => {
      const parts = [bytesOf(OP.EMPTY_LIST, put(0))];
      for (let level = 1; level <= levels; level++)
        parts.push(OP.POP as unknown as Buffer, make(get(level - 1)), put(level));
      return pickle(...parts);
    };
    const repeat = /repeat each other into more than/;
    refusedTree(
      doubling((inner) => list(inner, inner)),
      repeat,
    );
    expect(describeTorchFile(path).other.length).toBeLessThan(200);
    refusedTree(
      doubling((inner) => dict(text("a"), inner, text("b"), inner)),
      repeat,
    );
    refusedTree(
      doubling((inner) => tuple(inner, inner)),
      repeat,
    );
    refusedTree(
      doubling((inner) => list(inner, inner), 190),
      repeat,
    );
  });

  it("with unhashable keys or keys without values are refused", () => {
    refused(pickle(dict(list(), int(1))), /uses a list as a key/);
    refused(pickle(dict(text("a"))), /key without a value/);
  });

  it("that use the stack wrongly are refused", () => {
    refused(pickle(), /empty stack/);
    refused(pickle(OP.MARK), /empty stack/);
    refused(pickle(OP.MARK, int(1)), /left on the stack/);
    refused(pickle(OP.TUPLE), /never began/);
    refused(pickle(OP.TUPLE2), /empty stack/);
    refused(pickle(OP.MEMOIZE), /empty stack/);
    refused(pickle(get(7)), /memo entry 7/);
    refused(pickle(OP.GET, "-1\n"), /memo entry -1/);
    refused(pickle(int(1), int(2), OP.APPEND), /appends to a int/);
    refused(pickle(int(1), int(2), int(3), OP.SETITEM), /sets items of a int/);
    refused(pickle(int(1), int(1), OP.STACK_GLOBAL), /names a global by a int/);
    refused(bytesOf(OP.PROTO, 6, OP.NONE, OP.STOP), /protocol 6/);
  });
});

describe("sizes", () => {
  it.each<[string, Buffer]>([
    ["BINUNICODE", bytesOf(OP.BINUNICODE, uint(0xffffffff, 4))],
    ["BINUNICODE8", bytesOf(OP.BINUNICODE8, uint(2n ** 63n, 8))],
    ["SHORT_BINUNICODE", bytesOf(OP.SHORT_BINUNICODE, 255)],
    ["BINBYTES", bytesOf(OP.BINBYTES, uint(0x7fffffff, 4))],
    ["BINBYTES8", bytesOf(OP.BINBYTES8, uint(2n ** 64n - 1n, 8))],
    ["BYTEARRAY8", bytesOf(OP.BYTEARRAY8, uint(2n ** 40n, 8))],
    ["LONG1", bytesOf(OP.LONG1, 255)],
    ["LONG4", bytesOf(OP.LONG4, uint(0x7fffffff, 4))],
    ["FRAME", bytesOf(OP.FRAME, uint(2n ** 62n, 8))],
    ["BINSTRING", bytesOf(OP.BINSTRING, uint(0xffffffff, 4))],
    ["a line", bytesOf(OP.UNICODE, "no end")],
  ])("of %s beyond the file are refused", (_, opcode) => {
    refused(
      pickle(opcode),
      /are needed at byte|does not end|holds a text of|holds a whole number of|more than \d+ bytes of memory/,
    );
  });

  it("of numbers and names are limited", () => {
    const huge = bytesOf(OP.LONG4, uint(5000, 4), Buffer.alloc(5000, 1));
    refused(pickle(huge), /a whole number of 5000 bytes/);
    refused(pickle(OP.LONG, "9".repeat(5000), "L\n"), /where a whole number belongs/);
    refused(pickle(OP.FLOAT, "1".repeat(100), "\n"), /where a number belongs/);
    refused(pickle(OP.INT, "0x10\n"), /where a whole number belongs/);
    refused(pickle(OP.FLOAT, "nan()\n"), /where a number belongs/);
    refused(pickle(OP.GLOBAL, "a".repeat(2000), "\nb\n"), /a name of 2000 bytes/);
    refused(pickle(OP.UNICODE, "\\Uffffffff\n"), /impossible character/);
    refused(pickle(OP.BINUNICODE, uint(1, 4), 0xff), /not UTF-8/);
  });

  it("of all objects together are limited by the size of the file", () => {
    const many = (opcode: number) => pickle(OP.MARK, Buffer.alloc(1_500_000, opcode), OP.LIST);
    const memory = /more than \d+ bytes of memory, the file has 15000\d\d/;
    refused(many(OP.EMPTY_DICT), memory);
    refused(many(OP.EMPTY_LIST), memory);
    refused(many(OP.MARK), memory);
    const views = bytesOf(tensor(), OP.POP, global("torch._utils._rebuild_tensor_v2"), put0, OP.POP);
    const again = Buffer.concat(Array<Buffer>(90_000).fill(bytesOf(get0, get1, OP.REDUCE)));
    const args = bytesOf(tuple(storage(), int(0), tuple(int(4)), tuple(int(1))), OP.BINPUT, 1, OP.POP);
    refused(zipped(pickle(views, args, OP.MARK, again, OP.LIST)), /bytes of memory/);
  });
  const put0 = bytesOf(OP.BINPUT, 0);
  const get0 = bytesOf(OP.BINGET, 0);
  const get1 = bytesOf(OP.BINGET, 1);

  it("of copies of the same bytes are limited", () => {
    const array = (bytes: Buffer, length: number) =>
      bytesOf(
        [
          call(
            "numpy.core.multiarray._reconstruct",
            global("numpy.ndarray"),
            tuple(int(0)),
            data(Buffer.of(98)),
          ),
        ],
        [tuple(int(1), tuple(int(length)), call("numpy.dtype", text("u4")), OP.NEWFALSE, bytes), OP.BUILD],
      );
    const block = Buffer.alloc(1_000_000, 7);
    const once = bytesOf(data(block), put0, OP.POP, OP.MARK);
    const arrays = Buffer.concat(Array<Buffer>(100).fill(array(get0, 250_000)));
    refusedTree(pickle(once, arrays, OP.LIST), /bytes of memory/);
    const nested = legacyFile(pickle(storage({ numel: 250_000 })), { 0: new Float32Array(250_000) });
    const loads = Array<Buffer>(200).fill(bytesOf(call("torch.storage._load_from_bytes", get0)));
    refused(pickle(data(nested), put0, OP.POP, OP.MARK, ...loads, OP.LIST), /bytes of memory/);
  });
});

describe("tensors", () => {
  const at = (parts: Parameters<typeof tensor>[0]) => zipped(pickle(dict(text("layer"), tensor(parts))));
  const sizes = (...values: number[]) => tuple(...values.map(int));

  it("of four floats are read, to begin with", () => {
    writeFileSync(path, at({}));
    expect((readTorchStateDict(path).get("layer") as Tensor).toNumbers()).toEqual([1, 2, 3, 4]);
  });

  it.each<[string, Parameters<typeof tensor>[0], RegExp]>([
    ["a shape beyond the storage", { size: sizes(5) }, /reaches element 5 of a storage of 4/],
    ["an offset beyond it", { offset: int(1) }, /at offset 1 reaches element 5/],
    ["a stride beyond it", { size: sizes(2), stride: sizes(4) }, /reaches element 5/],
    ["a huge stride", { size: sizes(2), stride: sizes(2 ** 53 - 1) }, /reaches element/],
    ["a negative size", { size: sizes(-4) }, /not two lists of sizes/],
    ["a negative stride", { stride: sizes(-1) }, /not two lists of sizes/],
    ["a negative offset", { offset: int(-1) }, /not a whole number of at least 0/],
    [
      "a shape whose product overflows",
      { size: sizes(2 ** 40, 2 ** 40), stride: sizes(0, 0) },
      /can be counted/,
    ],
    [
      "an empty shape that overflows",
      { size: sizes(0, 2 ** 40, 2 ** 40), stride: sizes(1, 1, 1) },
      /can be counted/,
    ],
    ["an expansion into terabytes", { size: sizes(2 ** 40), stride: sizes(0) }, /bytes of memory/],
    ["shape and strides of different lengths", { size: sizes(2, 2) }, /of the same length/],
    [
      "65 dimensions",
      { size: sizes(...Array<number>(65).fill(1)), stride: sizes(...Array<number>(65).fill(1)) },
      /lists of sizes/,
    ],
    ["a shape of texts", { size: tuple(text("4")) }, /not two lists of sizes/],
    ["a shape that is a text", { size: text("4") }, /not two lists of sizes/],
    [
      "a fractional size",
      { size: tuple(bytesOf(OP.BINFLOAT, Buffer.from("3ff8000000000000", "hex"))) },
      /lists of sizes/,
    ],
    ["a storage that is a text", { of: text("0") }, /made of a str/],
    [
      "a storage of another size",
      { of: storage({ numel: 3 }) },
      /of 3 float32 needs 12 bytes, its entry has 16/,
    ],
    [
      "a storage of another type",
      { of: storage({ type: "torch.DoubleStorage" }) },
      /of 4 float64 needs 32 bytes/,
    ],
    ["a storage that is not there", { of: storage({ key: "1" }) }, /storage 1 is not in the archive/],
    ["a storage outside", { of: storage({ key: "../data.pkl" }) }, /is not in the archive/],
    [
      "a storage of no type",
      { of: storage({ type: "torch.storage.TypedStorage" }) },
      /storage is a torch\.storage\.TypedStorage/,
    ],
    ["a negative storage", { of: storage({ numel: -4 }) }, /impossible number of elements/],
  ])("with %s are refused at their key", (_, parts, message) => {
    refused(at(parts), message);
    refused(at(parts), /\(at layer\)/);
    // Listed as unusable where the reading can go on.
    try {
      const { other } = describeTorchFile(path);
      expect(other).toContainEqual(expect.objectContaining({ path: "layer" }));
    } catch (error) {
      expect(error).toBeInstanceOf(CheckpointError);
    }
  });

  it("of dtypes that are not supported are refused by name", () => {
    const args = [storage({ type: "torch.storage.UntypedStorage", numel: 16 }), int(0), sizes(4), sizes(1)];
    const bytes = call(
      "torch._utils._rebuild_tensor_v3",
      ...args,
      OP.NEWFALSE,
      OP.NONE,
      global("torch.float8_e5m2"),
    );
    refused(zipped(pickle(dict(text("layer"), bytes))), /dtype torch\.float8_e5m2; supported are float32/);
    refused(
      zipped(pickle(tensor({ of: storage({ type: "torch.ComplexFloatStorage" }) }))),
      /torch\.ComplexFloatStorage/,
    );
    refused(zipped(pickle(call("torch._utils._rebuild_sparse_tensor", int(0)))), /_rebuild_sparse_tensor/);
  });

  it("kept by something else than a storage identifier are refused", () => {
    const persistent = (...parts: Buffer[]) => pickle(...parts, OP.BINPERSID);
    refused(zipped(persistent(int(5))), /keeps a int outside of the pickle/);
    refused(zipped(persistent(tuple())), /outside of the pickle/);
    refused(zipped(persistent(tuple(text("module"), text("x")))), /keeps a module outside/);
    refused(persistent(tuple(text("storage"))), /keeps an object outside of its pickle/);
  });
});

describe("numpy", () => {
  const array = (code: string, shape: Buffer, bytes: Buffer, order = "<") =>
    bytesOf(
      call("numpy.core.multiarray._reconstruct", global("numpy.ndarray"), tuple(int(0)), data(Buffer.of(98))),
      tuple(
        int(1),
        shape,
        [call("numpy.dtype", text(code)), tuple(int(3), text(order)), OP.BUILD],
        OP.NEWFALSE,
        bytes,
      ),
      OP.BUILD,
    );
  it.each<[string, Buffer, RegExp]>([
    ["objects", array("O8", tuple(int(1)), list(int(1))), /numpy dtype is O8/],
    ["too few bytes", array("f4", tuple(int(3)), data(Buffer.alloc(8))), /needs 12 bytes, it has 8/],
    ["big-endian numbers", array("f4", tuple(int(2)), data(Buffer.alloc(8)), ">"), /not little-endian/],
    ["a negative shape", array("f4", tuple(int(-2)), data(Buffer.alloc(8))), /no list of sizes/],
    ["data that is no bytes", array("f4", tuple(int(2)), text("12345678")), /data is a str/],
    [
      "a class of its own",
      call("numpy.core.multiarray._reconstruct", global("torch.Size")),
      /not of class numpy/,
    ],
    ["no content", call("numpy.core.multiarray._reconstruct", global("numpy.ndarray")), /no content/],
    [
      "a short scalar",
      call("numpy.core.multiarray.scalar", call("numpy.dtype", text("f8")), data(Buffer.alloc(4))),
      /8 bytes is made of 4/,
    ],
  ])("arrays of %s are refused", (_, object, message) => refusedTree(pickle(object), message));
});
