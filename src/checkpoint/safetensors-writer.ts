// Writes safetensors files tensor by tensor, so that memory stays at one piece of one tensor.
import {
  CheckpointError,
  type DType,
  dtypes,
  empty,
  scope,
  type Tensor,
  writeAll,
  writeAtomically,
} from "../torch/index.ts";
import { MAX_HEADER_BYTES, SAFETENSORS_DTYPES } from "./safetensors-header.ts";

const CODES = new Map(Object.entries(SAFETENSORS_DTYPES).map(([code, dtype]) => [dtype, code]));

/** Elements converted at a time. */
const PIECE = 16 * 1024 * 1024;

export interface WriteOptions {
  /** Converts floating-point tensors, piece by piece. Default: every tensor keeps its own. */
  readonly dtype?: DType;
}

/**
 * Writes tensors (any device, any layout) so that a reader sees the old file or the whole new one.
 * `metadata` is text by name; "format": "pt" is what Python's loaders expect.
 * Throws CheckpointError for a tensor that the format cannot hold; the system's error when the disk is full.
 */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>> = { format: "pt" },
  { dtype }: WriteOptions = {},
): void {
  const entries =
    tensors instanceof Map
      ? [...(tensors as ReadonlyMap<string, Tensor>)]
      : Object.entries(tensors as Record<string, Tensor>);
  const { header, ordered } = layout(path, entries, { metadata, dtype });
  // Plain writes, not a mapped file: a full disk is then an error and not a crash.
  writeAtomically(path, (fd) => {
    writeAll(fd, header);
    scope(() => {
      const staging: Staging = new Map();
      for (const [, tensor] of ordered)
        writeTensor(fd, tensor, { dtype: storedDType(tensor, dtype), staging });
    });
  });
}

type Entries = [string, Tensor][];

/** The dtype that a tensor is stored in: floating-point ones are converted, whole numbers and truth values are not. */
export const storedDType = (tensor: Tensor, dtype: DType | undefined): DType =>
  dtype !== undefined && /float/.test(tensor.dtype) ? dtype : tensor.dtype;

/** The header bytes, and the tensors in file order: wide dtypes first, so that every tensor is aligned. */
function layout(
  path: string,
  entries: Entries,
  { metadata, dtype }: { metadata: Readonly<Record<string, string>>; dtype: DType | undefined },
): { header: Buffer; ordered: Entries } {
  const codeOf = (name: string, tensor: Tensor) => {
    const code = CODES.get(storedDType(tensor, dtype));
    if (name === "__metadata__" || !code)
      throw new CheckpointError(
        `${path}: tensor "${name}" of dtype ${tensor.dtype} cannot be stored under that name and dtype.`,
      );
    return code;
  };
  const sized = entries.map(([name, tensor]) => ({
    name,
    tensor,
    code: codeOf(name, tensor),
    bytes: dtypes[storedDType(tensor, dtype)].bytes,
  }));
  sized.sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
  let position = 0;
  const described = sized.map(({ name, tensor, code, bytes }) => {
    const begin = position;
    position += tensor.numel * bytes;
    return [name, { dtype: code, shape: tensor.shape, data_offsets: [begin, position] }] as const;
  });
  const json = Buffer.from(JSON.stringify(Object.fromEntries([["__metadata__", metadata], ...described])));
  const padded = Buffer.alloc(Math.ceil(json.length / 8) * 8, " ");
  if (padded.length > MAX_HEADER_BYTES)
    throw new CheckpointError(
      `${path}: a header of ${padded.length} bytes is more than the ${MAX_HEADER_BYTES} that readers accept; shorten the metadata.`,
    );
  json.copy(padded);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return {
    header: Buffer.concat([length, padded]),
    ordered: sized.map(({ name, tensor }) => [name, tensor]),
  };
}

/**
 * One buffer per dtype for pieces that are converted or come from another device. A new one for each piece would let the
 * process grow by all of them: the C library does not reuse aligned blocks of this size. At full size always: such a large
 * block is given back when it is released, and what of it is not used costs nothing.
 */
type Staging = Map<DType, Tensor>;

function writeTensor(
  fd: number,
  tensor: Tensor,
  { dtype, staging }: { dtype: DType; staging: Staging },
): void {
  if (tensor.numel === 0) return;
  const direct = tensor.dtype === dtype && tensor.device === "cpu";
  if (!direct && !staging.has(dtype)) staging.set(dtype, empty([PIECE], { dtype }));
  scope(() =>
    eachPiece(tensor.detach(), (piece) => {
      // Where the piece is not laid out in order, a copy of it alone is made.
      const bytes = direct
        ? piece.contiguous()
        : staging.get(dtype)!.slice(0, 0, piece.numel).view(piece.shape).copy_(piece);
      bytes.withBytes((data) => writeAll(fd, data));
    }),
  );
}

/** Calls `use` with parts of at most PIECE elements, in row-major order, however the tensor lies in memory. */
function eachPiece(tensor: Tensor, use: (piece: Tensor) => void): void {
  if (tensor.numel <= PIECE) return use(tensor);
  const rows = tensor.shape[0]!;
  const step = Math.max(1, Math.floor((PIECE * rows) / tensor.numel));
  for (let begin = 0; begin < rows; begin += step) {
    scope(() => {
      if (step * (tensor.numel / rows) > PIECE) eachPiece(tensor.select(0, begin), use);
      else use(tensor.narrow(0, begin, Math.min(step, rows - begin)));
    });
  }
}
