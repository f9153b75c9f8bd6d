// Damage to bytes of unknown meaning: flips, numbers, cuts, splices.
import { INTERESTING, type Random } from "./random.ts";

export type Mutate = (bytes: Buffer, random: Random) => Buffer;

const splice = (bytes: Buffer, begin: number, removed: number, inserted: Uint8Array): Buffer =>
  Buffer.concat([bytes.subarray(0, begin), inserted, bytes.subarray(begin + removed)]);

/** An interesting number in 1, 2, 4 or 8 bytes, mostly little-endian. */
export function numberBytes(random: Random): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(random.pick(INTERESTING));
  const bytes = buffer.subarray(0, random.pick([1, 2, 4, 8]));
  return random.chance(0.1) ? Buffer.from(bytes).reverse() : bytes;
}

const randomPiece = (bytes: Buffer, random: Random): Buffer => {
  const begin = random.int(bytes.length + 1);
  return bytes.subarray(begin, begin + random.int(64));
};

const MUTATIONS: readonly Mutate[] = [
  (bytes, random) => splice(bytes, random.int(bytes.length + 1), 1, Buffer.of(random.int(256))),
  (bytes, random) => {
    const at = random.int(Math.max(bytes.length, 1));
    return splice(bytes, at, 1, Buffer.of((bytes[at] ?? 0) ^ (1 << random.int(8))));
  },
  (bytes, random) => {
    const number = numberBytes(random);
    return splice(bytes, random.int(bytes.length + 1), random.chance(0.8) ? number.length : 0, number);
  },
  (bytes, random) => splice(bytes, random.int(bytes.length + 1), 0, randomPiece(bytes, random)),
  (bytes, random) => splice(bytes, random.int(bytes.length + 1), random.int(64), Buffer.alloc(0)),
  (bytes, random) => bytes.subarray(0, random.int(bytes.length + 1)),
  (bytes, random) => {
    const piece = randomPiece(bytes, random);
    return splice(bytes, random.int(bytes.length + 1), piece.length, piece);
  },
  (bytes, random) => Buffer.concat([bytes, Buffer.alloc(random.int(16), random.int(256))]),
];

/** One or a few changes anywhere. */
export const mutateBytes: Mutate = (bytes, random) => {
  let changed = bytes;
  for (let i = random.int(3); i >= 0; i--) changed = random.pick(MUTATIONS)(changed, random);
  return changed;
};
