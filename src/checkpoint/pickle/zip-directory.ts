// The directory of a zip archive, read without trusting it: only stored entries, each inside the file and apart from the others.
// Own and not a library's: those read asynchronously, and torch writes one simple kind of archive. Format: PKWARE APPNOTE.TXT.
import { type ByteRange, type ByteSource, readRange } from "./byte-source.ts";
import { shownName, type ReadContext } from "./context.ts";

const END = 0x06054b50;
const END_BYTES = 22;
const END64 = 0x06064b50;
const END64_BYTES = 56;
const LOCATOR64 = 0x07064b50;
const LOCATOR64_BYTES = 20;
const ENTRY = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
const MAX_COMMENT = 0xffff;
const IN_ZIP64 = 0xffffffff;

/** Flags that change nothing here: compression hints, sizes after the data, UTF-8 names. */
const HARMLESS_FLAGS = 0b0000_1000_0000_1110;

interface Entry {
  readonly name: string;
  readonly flags: number;
  readonly size: number;
  /** Where the entry's local header begins. */
  readonly header: number;
}

/** Name to bytes of every file in the archive. Throws CheckpointError for whatever torch would not write. */
export function readZipDirectory(source: ByteSource, context: ReadContext): Map<string, ByteRange> {
  const directory = findDirectory(source, context);
  const entries = readEntries(source, directory, context);
  const files = new Map<string, ByteRange>();
  let free = 0;
  for (const entry of [...entries].sort((a, b) => a.header - b.header)) {
    const shown = shownName(entry.name);
    if (entry.header < free) context.fail(`its entry ${shown} overlaps another one`);
    const begin = checkLocalHeader(source, entry, { end: directory.begin, context });
    free = begin + entry.size;
    if (free > directory.begin)
      context.fail(`its entry ${shown} of ${entry.size} bytes does not fit (cut off?)`);
    files.set(entry.name, { source, begin, end: free });
  }
  return files;
}

interface Directory {
  readonly begin: number;
  readonly end: number;
  readonly count: number;
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function findDirectory(source: ByteSource, context: ReadContext): Directory {
  const tailBegin = Math.max(0, source.length - END_BYTES - MAX_COMMENT);
  const tail = viewOf(source.read(tailBegin, source.length));
  let at = tail.byteLength - END_BYTES;
  const isEnd = () =>
    tail.getUint32(at, true) === END && at + END_BYTES + tail.getUint16(at + 20, true) === tail.byteLength;
  while (at >= 0 && !isEnd()) at--;
  if (at < 0) context.fail("it is a zip archive without its directory (cut off? a download that broke?)");
  const disks = [tail.getUint16(at + 4, true), tail.getUint16(at + 6, true)];
  const counts = [tail.getUint16(at + 8, true), tail.getUint16(at + 10, true)];
  const [size, begin] = [tail.getUint32(at + 12, true), tail.getUint32(at + 16, true)];
  const small = { size, begin, count: counts[1]! };
  const endBegin = tailBegin + at;
  const large = findZip64(source, endBegin, context);
  const agrees = (value: number, saturated: number, wide: number) => value === saturated || value === wide;
  if (
    disks.some((disk) => disk !== 0 && disk !== 0xffff) ||
    counts[0] !== counts[1] ||
    (large &&
      !(
        agrees(small.size, IN_ZIP64, large.size) &&
        agrees(small.begin, IN_ZIP64, large.begin) &&
        agrees(small.count, 0xffff, large.count)
      ))
  )
    context.fail("its zip directory contradicts itself");
  const found = large ?? { ...small, end: endBegin };
  if (found.begin + found.size !== found.end || found.count * ENTRY_BYTES > found.size)
    context.fail("its zip directory is not where it says (bytes before or after the archive?)");
  return { begin: found.begin, end: found.end, count: found.count };
}

function findZip64(source: ByteSource, endBegin: number, context: ReadContext) {
  const locatorBegin = endBegin - LOCATOR64_BYTES;
  if (locatorBegin < END64_BYTES) return undefined;
  const locator = viewOf(source.read(locatorBegin, endBegin));
  if (locator.getUint32(0, true) !== LOCATOR64) return undefined;
  const recordBegin = Number(locator.getBigUint64(8, true));
  // Not longer than its standard form: an extensible part would be room for a second directory.
  if (recordBegin + END64_BYTES !== locatorBegin) context.fail("its zip64 directory is not where it says");
  const record = viewOf(source.read(recordBegin, locatorBegin));
  const isRecord =
    record.getUint32(0, true) === END64 &&
    record.getBigUint64(4, true) === BigInt(END64_BYTES - 12) &&
    record.getUint32(16, true) === 0 &&
    record.getUint32(20, true) === 0 &&
    record.getBigUint64(24, true) === record.getBigUint64(32, true);
  if (!isRecord) context.fail("its zip64 directory contradicts itself");
  const [count, size, begin] = [32, 40, 48].map((at) => Number(record.getBigUint64(at, true))) as [
    number,
    number,
    number,
  ];
  return { count, size, begin, end: recordBegin };
}

function readEntries(source: ByteSource, { begin, end, count }: Directory, context: ReadContext): Entry[] {
  context.spend(2 * (end - begin) + 256 * count);
  const bytes = readRange({ source, begin, end });
  const view = viewOf(bytes);
  const names = new Set<string>();
  const entries: Entry[] = [];
  let at = 0;
  const need = (length: number) => {
    if (at + length > bytes.length) context.fail("its zip directory ends in the middle of an entry");
  };
  for (let i = 0; i < count; i++) {
    need(ENTRY_BYTES);
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((place) =>
      view.getUint16(at + place, true),
    ) as [number, number, number];
    const length = ENTRY_BYTES + nameBytes + extraBytes + commentBytes;
    need(length);
    if (view.getUint32(at, true) !== ENTRY)
      context.fail("its zip directory holds something that is no entry");
    const name = checkName(bytes.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes), context);
    if (names.has(name)) context.fail(`its entry ${shownName(name)} is there twice`);
    names.add(name);
    const extraBegin = at + ENTRY_BYTES + nameBytes;
    const extra = bytes.subarray(extraBegin, extraBegin + extraBytes);
    entries.push(
      checkEntry(new DataView(view.buffer, view.byteOffset + at, ENTRY_BYTES), { name, extra, context }),
    );
    at += length;
  }
  if (at !== bytes.length) context.fail("its zip directory has bytes after its last entry");
  return entries;
}

/** Names are looked up, never opened; odd ones only show that the archive was made to be unpacked somewhere. */
function checkName(bytes: Uint8Array, context: ReadContext): string {
  const name = Buffer.from(bytes).toString("utf8");
  const odd =
    name === "" ||
    name.startsWith("/") ||
    /[\\\0-\x1f\x7f:]|�/.test(name) ||
    name.split("/").some((part) => part === ".." || part === ".");
  if (odd) context.fail(`its zip archive has the odd entry name ${JSON.stringify(name.slice(0, 120))}`);
  return name;
}

function checkEntry(
  view: DataView,
  { name, extra, context }: { name: string; extra: Uint8Array; context: ReadContext },
): Entry {
  const shown = shownName(name);
  const [flags, method] = [view.getUint16(8, true), view.getUint16(10, true)];
  if ((flags & 1) !== 0) context.fail(`its entry ${shown} is encrypted`);
  if (method !== 0)
    context.fail(
      `its entry ${shown} is compressed (method ${method}), which torch never does: save the file again in Python`,
    );
  if ((flags & ~HARMLESS_FLAGS) !== 0) context.fail(`its entry ${shown} has unknown flags ${flags}`);
  const wide = wideFields(extra);
  const field = (value: number) => (value === IN_ZIP64 ? (wide.shift() ?? NaN) : value);
  // The order of the fields in the zip64 extra is fixed, and only those that do not fit are there.
  const size = field(view.getUint32(24, true));
  const stored = field(view.getUint32(20, true));
  const header = field(view.getUint32(42, true));
  if (size !== stored || !Number.isSafeInteger(size) || !Number.isSafeInteger(header))
    context.fail(`its entry ${shown} has impossible sizes (${stored} bytes stored for ${size})`);
  return { name, flags, size, header };
}

function wideFields(extra: Uint8Array): number[] {
  const view = viewOf(extra);
  for (let at = 0; at + 4 <= extra.length; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue;
    const length = Math.min(view.getUint16(at + 2, true), extra.length - at - 4);
    return Array.from({ length: Math.floor(length / 8) }, (_, i) =>
      Number(view.getBigUint64(at + 4 + 8 * i, true)),
    );
  }
  return [];
}

/** Where the entry's data begins; its local header must say the same as the directory. */
function checkLocalHeader(
  source: ByteSource,
  { name, flags, size, header }: Entry,
  { end, context }: { end: number; context: ReadContext },
): number {
  const shown = shownName(name);
  const nameBytes = Buffer.byteLength(name);
  const fixed = header + LOCAL_BYTES + nameBytes;
  if (fixed > end) context.fail(`its entry ${shown} begins outside of the file`);
  const bytes = source.read(header, fixed);
  const view = viewOf(bytes);
  const sizes = [view.getUint32(18, true), view.getUint32(22, true)];
  const sizeFits = (value: number) =>
    value === size || value === IN_ZIP64 || ((flags & 8) !== 0 && value === 0);
  const same =
    view.getUint32(0, true) === LOCAL &&
    view.getUint16(6, true) === flags &&
    view.getUint16(8, true) === 0 &&
    view.getUint16(26, true) === nameBytes &&
    sizes.every(sizeFits) &&
    Buffer.from(bytes.subarray(LOCAL_BYTES)).toString("utf8") === name;
  if (!same) context.fail(`its entry ${shown} is described in two different ways`);
  return fixed + view.getUint16(28, true);
}
