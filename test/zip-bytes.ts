// Zip files made by hand, so that tests can make those that no honest program writes.
import { crc32, deflateRawSync } from "node:zlib";

export interface ZipPart {
  readonly name: string;
  readonly bytes?: Buffer;
  readonly stored?: boolean;
  /** Unix mode in the upper half of the attributes. */
  readonly mode?: number;
  readonly flags?: number;
  readonly method?: number;
  /** Announced in place of the true values. */
  readonly crc?: number;
  readonly size?: number;
  /** Shares the bytes of the entry before. */
  readonly shared?: boolean;
  /** Sizes in a zip64 extra field. */
  readonly zip64?: boolean;
}

const UTF8 = 0x800;

export function zipBytes(parts: readonly ZipPart[]): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  let last = 0;
  for (const part of parts) {
    const { bytes = Buffer.alloc(0), stored = false, mode = 0o100644, shared = false, zip64 = false } = part;
    const name = Buffer.from(part.name);
    const body = stored ? bytes : deflateRawSync(bytes);
    const method = part.method ?? (stored ? 0 : 8);
    const flags = (part.flags ?? 0) | UTF8;
    const [crc, size] = [part.crc ?? crc32(bytes), part.size ?? bytes.length];
    const start = shared ? last : offset;
    if (!shared) {
      const head = Buffer.alloc(30);
      head.writeUInt32LE(0x04034b50, 0);
      head.writeUInt16LE(20, 4);
      head.writeUInt16LE(flags, 6);
      head.writeUInt16LE(method, 8);
      head.writeUInt32LE(crc, 14);
      head.writeUInt32LE(body.length, 18);
      head.writeUInt32LE(size, 22);
      head.writeUInt16LE(name.length, 26);
      local.push(head, name, body);
      last = offset;
      offset += head.length + name.length + body.length;
    }
    const extra = zip64 ? Buffer.alloc(20) : Buffer.alloc(0);
    if (zip64) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(16, 2);
      extra.writeBigUInt64LE(BigInt(size), 4);
      extra.writeBigUInt64LE(BigInt(body.length), 12);
    }
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE((3 << 8) | 20, 4);
    entry.writeUInt16LE(20, 6);
    entry.writeUInt16LE(flags, 8);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(crc, 16);
    entry.writeUInt32LE(zip64 ? 0xffffffff : body.length, 20);
    entry.writeUInt32LE(zip64 ? 0xffffffff : size, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt16LE(extra.length, 30);
    entry.writeUInt32LE((mode << 16) >>> 0, 38);
    entry.writeUInt32LE(start, 42);
    central.push(entry, name, extra);
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(parts.length, 8);
  end.writeUInt16LE(parts.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...local, directory, end]);
}
