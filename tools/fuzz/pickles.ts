// Damage to pickles that keeps them pickles: opcodes exchanged, moved, repeated, their numbers and names replaced.
import { OP } from "../../src/checkpoint/pickle/opcodes.ts";
import { bytesOf, uint } from "../../test/pickle-bytes.ts";
import { type Mutate, mutateBytes } from "./bytes.ts";
import { INTERESTING, type Random } from "./random.ts";

/** Bytes of an argument; "lengthN": a length in N bytes and as much data; "lines": as many lines. */
type Argument = number | "length1" | "length4" | "length8" | "line" | "lines";

const ARGUMENTS: ReadonlyMap<number, Argument> = new Map<number, Argument>([
  ...[OP.PROTO, OP.BININT1, OP.BINPUT, OP.BINGET].map((op) => [op, 1] as const),
  [OP.BININT2, 2],
  ...[OP.BININT, OP.LONG_BINGET, OP.LONG_BINPUT].map((op) => [op, 4] as const),
  ...[OP.BINFLOAT, OP.FRAME].map((op) => [op, 8] as const),
  ...[OP.LONG1, OP.SHORT_BINUNICODE, OP.SHORT_BINBYTES, OP.SHORT_BINSTRING].map(
    (op) => [op, "length1"] as const,
  ),
  ...[OP.LONG4, OP.BINUNICODE, OP.BINBYTES, OP.BINSTRING].map((op) => [op, "length4"] as const),
  ...[OP.BINUNICODE8, OP.BINBYTES8, OP.BYTEARRAY8].map((op) => [op, "length8"] as const),
  ...[OP.INT, OP.LONG, OP.FLOAT, OP.UNICODE, OP.GET, OP.PUT].map((op) => [op, "line"] as const),
  [OP.GLOBAL, "lines"],
]);
const OPCODES = Object.values(OP);
const WITHOUT_ARGUMENT = OPCODES.filter((op) => !ARGUMENTS.has(op));

const NAMES = [
  ...[
    "posix\nsystem",
    "builtins\neval",
    "torch._utils\n_rebuild_tensor_v2",
    "torch._utils\n_rebuild_tensor_v3",
  ],
  ...["torch._utils\n_rebuild_parameter", "torch.storage\n_load_from_bytes", "collections\nOrderedDict"],
  ...["torch\nFloatStorage", "torch\nBoolStorage", "torch\nDoubleStorage", "torch.storage\nUntypedStorage"],
  ...[
    "torch\nSize",
    "torch\ndevice",
    "torch\nfloat32",
    "argparse\nNamespace",
    "numpy\ndtype",
    "numpy\nndarray",
  ],
  ...[
    "numpy._core.multiarray\n_reconstruct",
    "numpy._core.multiarray\nscalar",
    "numpy._core.numeric\n_frombuffer",
  ],
  ...[
    "_codecs\nencode",
    "builtins\nset",
    "builtins\nbytearray",
    "copyreg\n_reconstructor",
    "collections\nCounter",
  ],
];

/** The opcodes with their arguments; what cannot be told apart any more is the last piece. */
function split(bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = endOfOpcode(bytes, at);
    if (end === undefined || end > bytes.length) break;
    pieces.push(bytes.subarray(at, end));
    at = end;
    if (pieces.at(-1)![0] === OP.STOP && bytes[at] !== OP.PROTO) break; // raw data of the legacy format
  }
  return at < bytes.length ? [...pieces, bytes.subarray(at)] : pieces;
}

function endOfOpcode(bytes: Buffer, at: number): number | undefined {
  const opcode = bytes[at]!;
  if (!(OPCODES as readonly number[]).includes(opcode)) return undefined;
  const argument = ARGUMENTS.get(opcode) ?? 0;
  const begin = at + 1;
  const line = (from: number) => bytes.indexOf(10, from) + 1 || undefined;
  if (typeof argument === "number") return begin + argument;
  if (argument === "line") return line(begin);
  if (argument === "lines") return line(line(begin) ?? bytes.length);
  const size = Number(argument.slice("length".length));
  if (begin + size > bytes.length) return undefined;
  return begin + size + (size === 8 ? Number(bytes.readBigUInt64LE(begin)) : bytes.readUIntLE(begin, size));
}

function changeArgument(piece: Buffer, random: Random): Buffer {
  const opcode = piece[0]!;
  const argument = ARGUMENTS.get(opcode);
  if (opcode === OP.GLOBAL) return bytesOf(opcode, random.pick(NAMES), "\n");
  if (typeof argument === "number")
    return bytesOf(opcode, uint(random.pick(INTERESTING), 8).subarray(0, argument));
  if (argument === undefined || argument === "line" || piece.length < 3) return mutateBytes(piece, random);
  const size = Number(argument.slice("length".length));
  if (random.chance(0.3))
    return bytesOf(opcode, uint(random.pick(INTERESTING), 8).subarray(0, size), piece.subarray(1 + size));
  // Texts name storages and decide encodings: digits and letters are changed in place.
  const changed = Buffer.from(piece);
  if (changed.length > 1 + size)
    changed[1 + size + random.int(changed.length - 1 - size)] = random.pick([48, 49, 97, 255, 0]);
  return changed;
}

const CHANGES: readonly ((pieces: Buffer[], random: Random) => void)[] = [
  (pieces, random) => {
    const at = random.int(pieces.length);
    pieces[at] = changeArgument(pieces[at]!, random);
  },
  (pieces, random) => pieces.splice(random.int(pieces.length), 1 + random.int(3)),
  (pieces, random) => pieces.splice(random.int(pieces.length), 0, Buffer.of(random.pick(WITHOUT_ARGUMENT))),
  (pieces, random) => {
    const begin = random.int(pieces.length);
    const range = pieces.slice(begin, begin + 1 + random.int(12));
    const times = random.chance(0.05) ? 200 : 1;
    for (let i = 0; i < times; i++) pieces.splice(random.int(pieces.length), 0, ...range);
  },
  (pieces, random) => {
    const at = random.int(pieces.length);
    if (pieces[at]!.length === 1) pieces[at] = Buffer.of(random.pick(WITHOUT_ARGUMENT));
  },
  (pieces, random) => {
    const [a, b] = [random.int(pieces.length), random.int(pieces.length)];
    [pieces[a], pieces[b]] = [pieces[b]!, pieces[a]!];
  },
];

/** A pickle, or a file of several, with a few opcodes changed. */
export const mutatePickle: Mutate = (bytes, random) => {
  const pieces = split(bytes);
  for (let i = random.int(3); i >= 0 && pieces.length > 0; i--) random.pick(CHANGES)(pieces, random);
  return Buffer.concat(pieces);
};
