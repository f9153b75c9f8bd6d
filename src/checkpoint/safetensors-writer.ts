// Writes safetensors files tensor by tensor, so that memory stays at one piece of one tensor.
import { CheckpointError, dtypes, scope, type Tensor, writeAll, writeAtomically } from "../torch/index.ts";
import { SAFETENSORS_DTYPES } from "./safetensors-header.ts";

const CODES = new Map(Object.entries(SAFETENSORS_DTYPES).map(([code, dtype]) => [dtype, code]));

/** Elements converted at a time. */
const PIECE = 16 * 1024 * 1024;

/**
 * Writes tensors (any device, any layout) so that a reader sees the old file or the whole new one.
 * `metadata` is text by name; "format": "pt" is what Python's loaders expect.
 * Throws CheckpointError for a tensor that the format cannot hold; the system's error when the disk is full.
 */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>> = { format: "pt" },
): void {
  const entries =
    tensors instanceof Map
      ? [...(tensors as ReadonlyMap<string, Tensor>)]
      : Object.entries(tensors as Record<string, Tensor>);
  const { header, ordered } = layout(path, entries, metadata);
  // Plain writes, not a mapped file: a full disk is then an error and not a crash.
  writeAtomically(path, (fd) => {
    writeAll(fd, header);
    for (const [, tensor] of ordered) writeTensor(fd, tensor);
  });
}

type Entries = [string, Tensor][];

/** The header bytes, and the tensors in file order: wide dtypes first, so that every tensor is aligned. */
function layout(
  path: string,
  entries: Entries,
  metadata: Readonly<Record<string, string>>,
): { header: Buffer; ordered: Entries } {
  const codeOf = (name: string, tensor: Tensor) => {
    const code = CODES.get(tensor.dtype);
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
    bytes: dtypes[tensor.dtype].bytes,
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
  json.copy(padded);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return {
    header: Buffer.concat([length, padded]),
    ordered: sized.map(({ name, tensor }) => [name, tensor]),
  };
}

function writeTensor(fd: number, tensor: Tensor): void {
  if (tensor.numel === 0) return;
  scope(() => {
    const flat = tensor.detach().contiguous().view([-1]);
    for (let begin = 0; begin < tensor.numel; begin += PIECE) {
      scope(() => {
        const piece = flat.slice(0, begin, Math.min(begin + PIECE, tensor.numel)).to("cpu");
        piece.withBytes((bytes) => writeAll(fd, bytes));
      });
    }
  });
}
