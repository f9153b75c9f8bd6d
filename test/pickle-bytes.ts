// Pickles put together opcode by opcode, and zip archives with any field wrong: for files that Python would not write.
import { OP } from "../src/checkpoint/pickle/opcodes.ts";

type Part = number | string | Uint8Array | readonly Part[];

/** Bytes of opcodes (numbers), raw text and nested parts. */
export function bytesOf(...parts: readonly Part[]): Buffer {
  return Buffer.concat(
    parts.map((part) => {
      if (typeof part === "number") return Buffer.from([part]);
      if (typeof part === "string") return Buffer.from(part, "latin1");
      return part instanceof Uint8Array ? part : bytesOf(...part);
    }),
  );
}

export function uint(value: number | bigint, bytes: 2 | 4 | 8): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return buffer.subarray(0, bytes);
}

export const text = (value: string): Buffer =>
  bytesOf(OP.BINUNICODE, uint(Buffer.byteLength(value), 4), Buffer.from(value));
export const int = (value: number): Buffer => bytesOf(OP.LONG1, 8, uint(value, 8));
export const data = (value: Uint8Array): Buffer => bytesOf(OP.BINBYTES, uint(value.length, 4), value);
export const tuple = (...items: readonly Part[]): Buffer => bytesOf(OP.MARK, ...items, OP.TUPLE);
export const list = (...items: readonly Part[]): Buffer =>
  bytesOf(OP.EMPTY_LIST, OP.MARK, ...items, OP.APPENDS);
export const dict = (...keysAndValues: readonly Part[]): Buffer =>
  bytesOf(OP.EMPTY_DICT, OP.MARK, ...keysAndValues, OP.SETITEMS);
/** A global from its dotted name; the last part is the name. */
export function global(name: string): Buffer {
  const dot = name.lastIndexOf(".");
  return bytesOf(OP.GLOBAL, name.slice(0, dot), "\n", name.slice(dot + 1), "\n");
}
export const call = (name: string, ...args: readonly Part[]): Buffer =>
  bytesOf(global(name), tuple(...args), OP.REDUCE);

/** A whole pickle. */
export const pickle = (...parts: readonly Part[]): Buffer => bytesOf(OP.PROTO, 2, ...parts, OP.STOP);

export const storage = ({ type = "torch.FloatStorage", key = "0", numel = 4 } = {}): Buffer =>
  bytesOf(tuple(text("storage"), global(type), text(key), text("cpu"), int(numel)), OP.BINPERSID);

interface TensorParts {
  readonly of?: Part;
  readonly offset?: Part;
  readonly size?: Part;
  readonly stride?: Part;
}

/** A float32 tensor of 4 elements, unless told otherwise. */
export const tensor = ({
  of = storage(),
  offset = int(0),
  size = tuple(int(4)),
  stride = tuple(int(1)),
}: TensorParts = {}): Buffer =>
  call(
    "torch._utils._rebuild_tensor_v2",
    of,
    offset,
    size,
    stride,
    OP.NEWFALSE,
    call("collections.OrderedDict"),
  );

/** What torch.save wrote before 1.6: the pickle, the storages' keys, their bytes. */
export function legacyFile(
  object: Uint8Array,
  storages: Readonly<Record<string, Float32Array>> = {},
  { magic = "6cfc9c46f9206aa85019", version = 1001, littleEndian = true } = {},
): Buffer {
  return bytesOf(
    pickle(OP.LONG1, 10, Buffer.from(magic, "hex")),
    pickle(int(version)),
    pickle(dict(text("little_endian"), littleEndian ? OP.NEWTRUE : OP.NEWFALSE)),
    object,
    pickle(list(...Object.keys(storages).map(text))),
    ...Object.values(storages).map((values) => [uint(values.length, 8), new Uint8Array(values.buffer)]),
  );
}

export interface ZipEntry {
  readonly name: string;
  readonly data: Uint8Array;
  /** What the directory says instead of the truth. */
  readonly says?: Partial<Record<"flags" | "method" | "size" | "stored" | "header" | "disk", number>>;
  readonly saysName?: string;
  readonly extra?: Uint8Array;
}

interface ZipOptions {
  readonly prefix?: Uint8Array;
  readonly comment?: Uint8Array;
  /** What the end record says instead of the truth. */
  readonly end?: Partial<Record<"disk" | "count" | "size" | "begin", number>>;
  /** Adds the zip64 records, as torch does, with these fields instead of the truth. */
  readonly zip64?: Partial<Record<"count" | "size" | "begin" | "record" | "recordSize", number | bigint>>;
}

/** A zip archive of stored entries. */
export function zip(entries: readonly ZipEntry[], options: ZipOptions = {}): Buffer {
  const { prefix = Buffer.alloc(0), comment = Buffer.alloc(0), end = {}, zip64 } = options;
  const local: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = prefix.length;
  for (const { name, data: content, says = {}, saysName = name, extra = Buffer.alloc(0) } of entries) {
    const { flags = 0x800, method = 0, size = content.length, stored = size, header = at, disk = 0 } = says;
    const zero = uint(0, 8);
    const sizes = [uint(content.length, 4), uint(content.length, 4)];
    const nameBytes = Buffer.from(name);
    const saysBytes = Buffer.from(saysName);
    const head = bytesOf("PK\x03\x04", uint(0, 2), uint(flags, 2), uint(method, 2), zero, ...sizes);
    const piece = bytesOf(head, uint(nameBytes.length, 2), uint(0, 2), nameBytes, content);
    local.push(piece);
    directory.push(
      bytesOf(
        "PK\x01\x02",
        uint(0, 4),
        uint(flags, 2),
        uint(method, 2),
        zero,
        uint(stored, 4),
        uint(size, 4),
      ),
      bytesOf(uint(saysBytes.length, 2), uint(extra.length, 2), uint(0, 2), uint(disk, 2)),
      bytesOf(uint(0, 2), uint(0, 4), uint(header, 4), saysBytes, extra),
    );
    at += piece.length;
  }
  const files = Buffer.concat(directory);
  const { disk = 0, count = entries.length, size = files.length, begin = at } = end;
  const wide = zip64 && {
    ...{ count: entries.length, size: files.length, begin: at, record: at + files.length, recordSize: 44 },
    ...zip64,
  };
  const wideBytes = wide
    ? bytesOf(
        ...["PK\x06\x06", uint(wide.recordSize, 8), uint(0, 4), uint(0, 8)],
        ...[uint(wide.count, 8), uint(wide.count, 8), uint(wide.size, 8), uint(wide.begin, 8)],
        ...["PK\x06\x07", uint(0, 4), uint(wide.record, 8), uint(1, 4)],
      )
    : Buffer.alloc(0);
  return bytesOf(
    ...[prefix, ...local, files, wideBytes, "PK\x05\x06", uint(disk, 2), uint(disk, 2)],
    ...[uint(count, 2), uint(count, 2), uint(size, 4), uint(begin, 4), uint(comment.length, 2), comment],
  );
}

/** The entries of a torch zip file whose pickle is `object`, with one storage "0" of 4 floats. */
export const torchEntries = (object: Uint8Array): ZipEntry[] => [
  { name: "x/data.pkl", data: object },
  { name: "x/byteorder", data: Buffer.from("little") },
  { name: "x/data/0", data: new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer) },
  { name: "x/version", data: Buffer.from("3\n") },
];
