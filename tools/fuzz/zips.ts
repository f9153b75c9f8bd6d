// Damage to zip archives: fields of their records, and pickles inside of archives that stay whole.
import { uint, zip, type ZipEntry } from "../../test/pickle-bytes.ts";
import { type Mutate, mutateBytes } from "./bytes.ts";
import { mutatePickle } from "./pickles.ts";
import { INTERESTING, type Random } from "./random.ts";

const ENTRY = 0x02014b50;
const END = 0x06054b50;

/** The entries of an archive that is known to be whole. */
function entriesOf(bytes: Buffer): ZipEntry[] {
  const end = bytes.lastIndexOf(uint(END, 4));
  let at = bytes.readUInt32LE(end + 16);
  const entries: ZipEntry[] = [];
  while (bytes.readUInt32LE(at) === ENTRY) {
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) =>
      bytes.readUInt16LE(at + field),
    ) as [number, number, number];
    const header = bytes.readUInt32LE(at + 42);
    const begin = header + 30 + bytes.readUInt16LE(header + 26) + bytes.readUInt16LE(header + 28);
    const name = bytes.toString("utf8", at + 46, at + 46 + nameBytes);
    entries.push({ name, data: bytes.subarray(begin, begin + bytes.readUInt32LE(at + 24)) });
    at += 46 + nameBytes + extraBytes + commentBytes;
  }
  return entries;
}

/** Where a record begins, and how long its fixed part is. */
const RECORDS = [
  [0x04034b50, 30],
  [ENTRY, 46],
  [END, 22],
  [0x06064b50, 56],
  [0x07064b50, 20],
] as const;

/** One field of one record becomes an interesting number. */
function changeField(bytes: Buffer, random: Random): Buffer {
  const [signature, length] = random.pick(RECORDS);
  const found: number[] = [];
  for (let at = bytes.indexOf(uint(signature, 4)); at >= 0; at = bytes.indexOf(uint(signature, 4), at + 1))
    found.push(at);
  if (found.length === 0) return mutateBytes(bytes, random);
  const changed = Buffer.from(bytes);
  const size = random.pick([2, 4, 8] as const);
  uint(random.pick(INTERESTING), 8).copy(changed, random.pick(found) + 2 * random.int(length / 2), 0, size);
  return changed;
}

const NAMES = ["../x", "/x", "x\\y", "", "x/data.pkl", "x/data/0", "x\0", "x/data/", "data.pkl"];

/** An archive made anew around a changed pickle, storage or list of entries. */
function rebuild(bytes: Buffer, random: Random): Buffer {
  const entries = entriesOf(bytes);
  const at = random.chance(0.6)
    ? entries.findIndex(({ name }) => name.endsWith("/data.pkl"))
    : random.int(entries.length);
  const entry = entries[at]!;
  const mutate = entry.name.endsWith(".pkl") ? mutatePickle : mutateBytes;
  const kind = random.int(10);
  if (kind === 0) entries.splice(at, 1);
  else if (kind === 1) entries.push({ ...entry, name: random.pick(NAMES) });
  else if (kind === 2) entries[at] = { ...entry, saysName: random.pick(NAMES) };
  else entries[at] = { ...entry, data: mutate(Buffer.from(entry.data), random) };
  return zip(entries, random.chance(0.5) ? { zip64: {} } : {});
}

/** A torch zip file with a few changes of one kind. */
export const mutateZip: Mutate = (bytes, random) => {
  const kind = random.int(10);
  if (kind < 2) return mutateBytes(bytes, random);
  return kind < 5 ? changeField(bytes, random) : rebuild(bytes, random);
};
