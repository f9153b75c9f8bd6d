// The header of a safetensors file, parsed without trusting it.
// Format: https://huggingface.co/docs/safetensors (8-byte length, JSON, data without holes).
import { closeSync, fstatSync, openSync } from "node:fs";
import { CheckpointError, type DType, dtypes } from "../torch/index.ts";
import { duplicateKey } from "./json-duplicates.ts";
import { readBytes } from "./read-bytes.ts";
import { wrongFile } from "./wrong-file.ts";

/** Same cap as the reference implementation: no real header comes near it. */
export const MAX_HEADER_BYTES = 100_000_000;
/** What libtorch's own operators can work on. */
const MAX_DIMENSIONS = 64;
/** What of a file's beginning is looked at when it is something else. */
const HEAD_BYTES = 512;

export const SAFETENSORS_DTYPES: Readonly<Record<string, DType>> = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  I64: "int64",
  I32: "int32",
  I16: "int16",
  I8: "int8",
  U8: "uint8",
  BOOL: "bool",
};

/** In the format, but without a dtype here. */
const OTHER_DTYPES =
  "U16 U32 U64 C64 F8_E4M3 F8_E5M2 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ F6_E2M3 F6_E3M2 F4".split(" ");

export interface TensorEntry {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Byte range [begin, end) counted from the start of the file. */
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly fileBytes: number;
}

/**
 * Reads and checks the header only: O(header), whatever the size of the file.
 * Throws CheckpointError naming the file, and the tensor where one is at fault.
 */
export function readSafetensorsHeader(path: string): SafetensorsHeader {
  const { text, dataStart, fileBytes } = readHeaderText(path);
  const header = parse(path, text);
  const { __metadata__: metadata = {}, ...entries } = header;
  const dataBytes = fileBytes - dataStart;
  const tensors = new Map<string, TensorEntry>();
  for (const [name, value] of Object.entries(entries)) {
    const entry = checkEntry(value, (what) => fail(path, `tensor ${shown(name)} ${what}`));
    tensors.set(name, { ...entry, begin: dataStart + entry.begin, end: dataStart + entry.end });
  }
  checkCover(path, tensors, { dataStart, dataBytes });
  return { tensors, metadata: checkMetadata(path, metadata), fileBytes };
}

function fail(path: string, what: string, cause?: unknown): never {
  throw new CheckpointError(`${path} is not a usable safetensors file: ${what}.`, { cause });
}

/** A value of the header for messages: never more than a line, however large or deep. */
function shown(value: unknown): string {
  if (Array.isArray(value)) {
    const items = value.slice(0, 10).map((item) => (typeof item === "object" ? "..." : shown(item)));
    return `[${items.join(", ")}${value.length > items.length ? `, ... (${value.length} values)` : ""}]`;
  }
  if (typeof value === "object" && value !== null) return "{...}";
  const text = typeof value === "string" ? value.slice(0, 100) : value;
  return JSON.stringify(text) ?? "nothing";
}

function readHeaderText(path: string): { text: string; dataStart: number; fileBytes: number } {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new CheckpointError(
      `${path} ${code === "ENOENT" ? "does not exist" : `cannot be opened (${code})`}.`,
      { cause },
    );
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) fail(path, "it is not a regular file");
    if (stat.size < 8) fail(path, `it has ${stat.size} bytes, less than the 8 of the header length`);
    const head = bytesOf(path, fd, { position: 0, length: Math.min(HEAD_BYTES, stat.size) });
    const wrong = wrongFile(head, "safetensors");
    if (wrong !== undefined) throw new CheckpointError(`${path} is ${wrong}.`);
    const length = head.readBigUInt64LE();
    if (length > BigInt(MAX_HEADER_BYTES))
      fail(path, `its header length ${length} is above the limit of ${MAX_HEADER_BYTES} bytes`);
    const dataStart = 8 + Number(length);
    if (dataStart > stat.size)
      fail(path, `its header ends at byte ${dataStart}, but the file at ${stat.size} (cut off?)`);
    const bytes = bytesOf(path, fd, { position: 8, length: Number(length) });
    // Space in front is for writers that align their data to pages.
    if (!/^[ \t\n\r]*\{/.test(bytes.toString("latin1", 0, HEAD_BYTES)))
      fail(path, "its header does not start with {");
    let text: string;
    try {
      text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (cause) {
      fail(path, "its header is not UTF-8", cause);
    }
    return { text, dataStart, fileBytes: stat.size };
  } finally {
    closeSync(fd);
  }
}

function bytesOf(path: string, fd: number, range: { position: number; length: number }): Buffer {
  const bytes = readBytes(fd, range);
  if (bytes.length < range.length) fail(path, "it ended while it was read");
  return Buffer.from(bytes.buffer, 0, bytes.length);
}

function parse(path: string, text: string): Record<string, unknown> {
  let header: Record<string, unknown>;
  try {
    header = JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    fail(path, `its header is not valid JSON (${(cause as Error).message})`, cause);
  }
  const duplicate = duplicateKey(text);
  if (duplicate !== undefined) fail(path, `its header holds the key ${shown(duplicate)} twice`);
  return header;
}

function checkEntry(value: unknown, bad: (what: string) => never): TensorEntry {
  if (typeof value !== "object" || value === null) bad("has no description");
  const { dtype: code, shape, data_offsets: offsets } = value as Record<string, unknown>;
  const dtype =
    typeof code === "string" && Object.hasOwn(SAFETENSORS_DTYPES, code)
      ? SAFETENSORS_DTYPES[code]
      : undefined;
  if (!dtype) {
    const supported = Object.keys(SAFETENSORS_DTYPES).join(", ");
    const other = OTHER_DTYPES.includes(code as string)
      ? ", which has no tensor here (convert it in Python)"
      : "";
    bad(`has dtype ${shown(code)}${other}; supported are ${supported}`);
  }
  if (!isSizes(shape)) bad(`has shape ${shown(shape)}; expected a list of sizes`);
  if (shape.length > MAX_DIMENSIONS)
    bad(`has ${shape.length} dimensions, at most ${MAX_DIMENSIONS} are supported`);
  if (!isSizes(offsets) || offsets.length !== 2)
    bad(`has data_offsets ${shown(offsets)}; expected [begin, end]`);
  const [begin, end] = offsets as [number, number];
  if (end < begin) bad(`ends at byte ${end}, before its begin ${begin}`);
  // Also of an empty tensor the other sizes must have a product: libtorch multiplies them.
  const product = shape.reduce((count, size) => count * (size || 1), dtypes[dtype].bytes);
  if (!Number.isSafeInteger(product)) bad(`has shape ${shown(shape)}, more bytes than can be counted`);
  const bytes = shape.includes(0) ? 0 : product;
  if (bytes !== end - begin)
    bad(
      `of dtype ${String(code)} and shape ${shown(shape)} needs ${bytes} bytes, but its data_offsets hold ${end - begin}`,
    );
  return { dtype, shape, begin, end };
}

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && (size as number) >= 0);

/** The data must be covered exactly: no hole could hide anything, no two tensors share bytes. */
function checkCover(
  path: string,
  tensors: ReadonlyMap<string, TensorEntry>,
  { dataStart, dataBytes }: { dataStart: number; dataBytes: number },
): void {
  let position = dataStart;
  for (const [name, { begin, end }] of [...tensors].sort(
    ([, a], [, b]) => a.begin - b.begin || a.end - b.end,
  )) {
    if (begin !== position) {
      const what = begin > position ? "leaves a hole before it" : "overlaps another tensor";
      fail(
        path,
        `tensor ${shown(name)} begins at data byte ${begin - dataStart}, expected ${position - dataStart}: it ${what}`,
      );
    }
    position = end;
  }
  const covered = position - dataStart;
  if (covered !== dataBytes)
    fail(
      path,
      `its tensors cover ${covered} bytes, but ${dataBytes} follow the header (${covered > dataBytes ? "cut off?" : "extra bytes"})`,
    );
}

function checkMetadata(path: string, metadata: unknown): Record<string, string> {
  const valid =
    typeof metadata === "object" &&
    metadata !== null &&
    !Array.isArray(metadata) &&
    Object.values(metadata).every((text) => typeof text === "string");
  if (!valid) fail(path, "its __metadata__ is not a map from text to text");
  return metadata as Record<string, string>;
}
