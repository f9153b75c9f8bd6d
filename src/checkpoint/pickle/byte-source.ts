// Bytes that a pickle lies in or points into: a file, read piece by piece and mapped for tensors, or bytes in memory.
import { fstatSync, statSync } from "node:fs";
import { CheckpointError, fromFile, keep, type Tensor, tensor } from "../../torch/index.ts";
import { readBytes } from "../read-bytes.ts";

export interface ByteSource {
  readonly length: number;
  /** True: a tensor costs no memory, but begins in memory where it does in the file, so that it may not be aligned. */
  readonly mapped: boolean;
  /** The bytes [begin, end), which must lie inside. */
  read(begin: number, end: number): Uint8Array;
  /** The bytes [begin, end) as a uint8 tensor; those of a file are mapped and not read. */
  tensor(begin: number, end: number): Tensor;
}

export interface ByteRange {
  readonly source: ByteSource;
  readonly begin: number;
  readonly end: number;
}

/** All bytes of a range; the caller answers for their number. */
export const readRange = ({ source, begin, end }: ByteRange): Uint8Array => source.read(begin, end);

export const rangeLength = ({ begin, end }: ByteRange): number => end - begin;

export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    length: bytes.length,
    mapped: false,
    read: (begin, end) => bytes.subarray(begin, end),
    tensor: (begin, end) => tensor(bytes.subarray(begin, end)),
  };
}

export interface FileSource extends ByteSource, Disposable {}

/** An open file. Its mapping is private (writing never changes the file) and outlives this object in the tensors made from it. */
export function fileSource(path: string, fd: number, length: number): FileSource {
  let mapping: Tensor | undefined;
  return {
    length,
    mapped: true,
    read(begin, end) {
      const bytes = readBytes(fd, { position: begin, length: end - begin });
      if (bytes.length < end - begin) throw new CheckpointError(`${path} became shorter while it was read.`);
      return bytes;
    },
    tensor(begin, end) {
      mapping ??= mapWhole(path, fd, length);
      return mapping.slice(0, begin, end);
    },
    [Symbol.dispose]() {
      mapping?.dispose();
    },
  };
}

function mapWhole(path: string, fd: number, length: number): Tensor {
  const mapping = keep(fromFile(path, false, length, { dtype: "uint8" }));
  // libtorch opens by name: the name must still stand for the file that was checked.
  const [checked, mapped] = [fstatSync(fd), statSync(path)];
  if (checked.ino === mapped.ino && checked.dev === mapped.dev && mapped.size === length) return mapping;
  mapping.dispose();
  throw new CheckpointError(`${path} was replaced while it was read.`);
}
