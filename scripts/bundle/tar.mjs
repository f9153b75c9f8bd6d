// A tar archive (ustar) that depends on nothing but names, modes and bytes: sorted, one time for all, no owner.
import { bytesOf } from "./entries.mjs";

const BLOCK = 512;
/** 1 January 2020: tar warns about times near 1970. */
const TIME = 1_577_836_800;

const octal = (value, length) => `${value.toString(8).padStart(length - 1, "0")}\0`;

/** A name of up to 255 bytes as ustar's two fields. Errors: RangeError when it does not fit. */
export function splitName(name) {
  if (Buffer.byteLength(name) <= 100) return { prefix: "", rest: name };
  for (let at = name.indexOf("/"); at > 0; at = name.indexOf("/", at + 1)) {
    const [prefix, rest] = [name.slice(0, at), name.slice(at + 1)];
    if (Buffer.byteLength(prefix) <= 155 && Buffer.byteLength(rest) <= 100) return { prefix, rest };
  }
  throw new RangeError(`A name in the archive is too long: ${name}`);
}

function header(name, { mode, size, type }) {
  const { prefix, rest } = splitName(name);
  const block = Buffer.alloc(BLOCK);
  const write = (text, at) => block.write(text, at, "utf8");
  write(rest, 0);
  write(octal(mode, 8), 100);
  write(octal(0, 8), 108);
  write(octal(0, 8), 116);
  write(octal(size, 12), 124);
  write(octal(TIME, 12), 136);
  write(" ".repeat(8), 148);
  write(type, 156);
  write("ustar\x0000", 257);
  write(prefix, 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** Byte order of names, whatever the locale. */
const byName = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Every folder above the names, once. */
function foldersOf(names) {
  const folders = names.flatMap((name) => {
    const parts = name.split("/").slice(0, -1);
    return parts.map((_, i) => parts.slice(0, i + 1).join("/"));
  });
  return [...new Set(folders)];
}

/** The archive in pieces: folders and files below one folder `top`. */
export function* tarPieces(top, entries) {
  const files = new Map(entries.map((entry) => [`${top}/${entry.name}`, entry]));
  const names = [...files.keys(), ...foldersOf([...files.keys()])].sort(byName);
  for (const name of names) {
    const entry = files.get(name);
    if (entry === undefined) {
      yield header(`${name}/`, { mode: 0o755, size: 0, type: "5" });
      continue;
    }
    const bytes = bytesOf(entry);
    yield header(name, { mode: entry.mode, size: bytes.length, type: "0" });
    yield bytes;
    yield Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK);
  }
  yield Buffer.alloc(2 * BLOCK);
}
