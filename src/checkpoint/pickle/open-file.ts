// Opens a file, finds out which of torch's three formats it has and reads its object tree.
import { closeSync, fstatSync, openSync } from "node:fs";
import { CheckpointError } from "../../torch/index.ts";
import { wrongFile } from "../wrong-file.ts";
import { fileSource } from "./byte-source.ts";
import { makeContext, type ReadContext } from "./context.ts";
import { cursorOf } from "./cursor.ts";
import { LEGACY_MAGIC, readLegacyBytes, readLegacyFile } from "./legacy-file.ts";
import { unpickle, type Unpickled } from "./unpickler.ts";
import type { PyValue } from "./values.ts";
import { readZipFile } from "./zip-file.ts";

/** torch.save since 1.6, torch.save before, or pickle.dump. */
export type TorchFileKind = "zip" | "legacy" | "pickle";

export interface TorchFile {
  readonly kind: TorchFileKind;
  readonly protocol: number;
  readonly root: PyValue;
  readonly context: ReadContext;
  readonly fileBytes: number;
}

/** Files in files: pickled tensors hold one, nothing holds more. */
const MAX_NESTING = 2;
/** Where a tar archive says what it is. */
const TAR_MARK = 257;
const HEAD = 512;

/** Reads a file's tree for `use`, during which tensors can be made of it. Throws CheckpointError naming the file. */
export function withTorchFile<T>(
  path: string,
  options: { tolerant: boolean },
  use: (file: TorchFile) => T,
): T {
  const fd = open(path);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new CheckpointError(`${path} is not a regular file.`);
    using source = fileSource(path, fd, stat.size);
    const head = source.read(0, Math.min(HEAD, stat.size));
    const context = contextFor(path, { fileBytes: stat.size, ...options });
    checkHead(head, context);
    const isZip = Buffer.from(head).readUInt16LE(0) === 0x4b50; // "PK"
    const read = isZip ? { kind: "zip" as const, ...readZipFile(source, context) } : readStream();
    function readStream(): Unpickled & { kind: TorchFileKind } {
      const cursor = cursorOf({ source, begin: 0, end: stat.size }, context);
      const first = unpickle(cursor, context, () => context.fail("it keeps an object outside of its pickle"));
      if (first.value === LEGACY_MAGIC) return { kind: "legacy", ...readLegacyFile(cursor, context) };
      if (cursor.left() > 0) context.fail(`${cursor.left()} bytes follow its pickle`);
      return { kind: "pickle", ...first };
    }
    return use({ kind: read.kind, protocol: read.protocol, root: read.value, context, fileBytes: stat.size });
  } finally {
    closeSync(fd);
  }
}

function open(path: string): number {
  try {
    return openSync(path, "r");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "does not exist" : `cannot be opened (${code})`;
    throw new CheckpointError(`${path} ${why}.`, { cause });
  }
}

function contextFor(path: string, options: { fileBytes: number; tolerant: boolean }): ReadContext {
  let nesting = 0;
  return makeContext(path, {
    ...options,
    loadBytes(range, context) {
      if (nesting >= MAX_NESTING) context.fail("it holds files in files in files");
      // Reading the same bytes again and again costs time, not memory; it is paid for alike.
      context.spend(range.end - range.begin);
      nesting++;
      try {
        return readLegacyBytes(range, context);
      } finally {
        nesting--;
      }
    },
  });
}

function checkHead(head: Uint8Array, context: ReadContext): void {
  const wrong = wrongFile(head, "torch");
  if (wrong !== undefined) throw new CheckpointError(`${context.path} is ${wrong}.`);
  if (head.length < 2) context.fail(`it has ${head.length} bytes`);
  if (Buffer.from(head.subarray(TAR_MARK, TAR_MARK + 5)).toString("latin1") === "ustar")
    context.fail("it is a tar archive, as torch wrote before 0.1.10; load it in Python and save it again");
}
