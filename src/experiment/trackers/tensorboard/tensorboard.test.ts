// Event files read back by a decoder that shares nothing with the writer: records, checksums bit by bit, protocol buffers.
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c } from "./crc32c.ts";
import { histogramOf } from "./histogram.ts";
import { openTensorBoard } from "./index.ts";

type Fields = Map<number, (number | Uint8Array)[]>;

/** CRC-32C by its definition: one bit at a time, most significant bit first. */
function slowCrc(bytes: Uint8Array): number {
  const reversed = (value: number, bits: number): number => {
    let result = 0;
    for (let i = 0; i < bits; i++) if (value & (1 << i)) result |= 1 << (bits - 1 - i);
    return result >>> 0;
  };
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc = (crc ^ (reversed(byte, 8) << 24)) >>> 0;
    for (let i = 0; i < 8; i++) crc = (crc & 0x80000000 ? (crc << 1) ^ 0x1edc6f41 : crc << 1) >>> 0;
  }
  return (reversed(crc, 32) ^ 0xffffffff) >>> 0;
}

const unmask = (masked: number): number => {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated << 15) | (rotated >>> 17)) >>> 0;
};

function fieldsOf(bytes: Uint8Array): Fields {
  const reader = new BinaryReader(bytes);
  const fields: Fields = new Map();
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    const value =
      wire === WireType.Varint
        ? Number(reader.int64())
        : wire === WireType.Bit64
          ? reader.double()
          : wire === WireType.Bit32
            ? reader.float()
            : reader.bytes();
    fields.set(field, [...(fields.get(field) ?? []), value]);
  }
  return fields;
}

const sub = (fields: Fields, field: number, index = 0): Fields =>
  fieldsOf(fields.get(field)![index] as Uint8Array);
const text = (fields: Fields, field: number): string =>
  Buffer.from(fields.get(field)![0] as Uint8Array).toString("utf8");
const one = (fields: Fields, field: number): number | undefined =>
  fields.get(field)?.[0] as number | undefined;
const doubles = (fields: Fields, field: number): number[] => {
  const bytes = fields.get(field)![0] as Uint8Array;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return Array.from({ length: bytes.length / 8 }, (_, i) => view.getFloat64(8 * i, true));
};

function eventsOf(path: string): Fields[] {
  const bytes = new Uint8Array(readFileSync(path));
  const view = new DataView(bytes.buffer);
  const events: Fields[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = Number(view.getBigUint64(at, true));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(unmask(view.getUint32(at + 8, true))).toBe(slowCrc(bytes.subarray(at, at + 8)));
    expect(unmask(view.getUint32(at + 12 + length, true))).toBe(slowCrc(data));
    events.push(fieldsOf(data));
    at += 16 + length;
  }
  return events;
}

const run = { name: "test", config: { base: { steps: 3 } }, command: "invdiff train" };
const open = (dir: string, resumeStep = 0) => openTensorBoard(dir, { resumeStep, run });
const folder = (): string => mkdtempSync(join(tmpdir(), "invdiff-events-"));
const filesIn = (dir: string): string[] => readdirSync(dir).map((name) => join(dir, name));

/** The start of a PNG file of this size; nobody here looks at its pixels. */
function pngOf(width: number, height: number): Uint8Array {
  const png = Buffer.alloc(40);
  png.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13]);
  png.write("IHDR", 12);
  png.writeUInt32BE(width, 16);
  png.writeUInt32BE(height, 20);
  return png;
}

describe("crc32c", () => {
  it("gives the published values (RFC 3720, B.4) and those of its definition", () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
    expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => crc32c(bytes) === slowCrc(bytes)),
      { seed: 1 },
    );
  });
});

describe("an event file", () => {
  it("starts with its version, a session start and the configuration", async () => {
    const dir = folder();
    await open(dir, 7).close();
    const [path, ...others] = filesIn(dir);
    expect(others).toEqual([]);
    expect(path).toMatch(/events\.out\.tfevents\.\d{10}\.[\w-]+\.\d+$/);
    const [first, start, config, command, ...rest] = eventsOf(path!);
    expect(rest).toEqual([]);
    expect(text(first!, 3)).toBe("brain.Event:2");
    expect(one(first!, 1)).toBeCloseTo(Date.now() / 1000, -2);
    expect([one(start!, 2), one(sub(start!, 7), 1)]).toEqual([8, 1]);
    const value = (event: Fields) => sub(sub(event, 5), 1);
    expect(text(value(config!), 1)).toBe("config");
    const tensor = sub(value(config!), 8);
    expect(text(tensor, 8)).toContain('"steps": 3');
    expect([one(tensor, 1), one(sub(sub(tensor, 2), 2), 1)]).toEqual([7, 1]);
    expect(text(sub(sub(value(config!), 9), 1), 1)).toBe("text");
    expect(text(sub(value(command!), 8), 8)).toContain("invdiff train");
  });

  it("holds scalars as they were given, in float32", async () => {
    const dir = folder();
    const tracker = open(dir);
    const given = [
      [1, { loss: 0.1, "groupLoss/0": -3.5e-7 }],
      [2 ** 40, { loss: NaN, high: 1e300, größe: 2 }],
    ] as const;
    for (const [step, values] of given) tracker.scalars(step, values);
    tracker.timing(3, { seconds: 0.5 });
    await tracker.close();
    const events = eventsOf(filesIn(dir)[0]!).slice(4);
    const read = events.map((event) => [
      one(event, 2),
      Object.fromEntries(
        sub(event, 5)
          .get(1)!
          .map((bytes) => fieldsOf(bytes as Uint8Array))
          .map((value) => [text(value, 1), one(value, 2)]),
      ),
    ]);
    expect(read).toEqual([
      [1, { loss: Math.fround(0.1), "groupLoss/0": Math.fround(-3.5e-7) }],
      [2 ** 40, { loss: NaN, high: Infinity, größe: 2 }],
      [3, { "timing/seconds": 0.5 }],
    ]);
  });

  it("holds images with their size, numbered when there are several", async () => {
    const dir = folder();
    const tracker = open(dir);
    const png = pngOf(640, 3);
    tracker.images(5, "a bird", [png]);
    tracker.images(6, "two", [png, png]);
    await tracker.close();
    const [single, pair] = eventsOf(filesIn(dir)[0]!).slice(4);
    const value = sub(sub(single!, 5), 1);
    const image = sub(value, 4);
    expect(text(value, 1)).toBe("a bird");
    expect([one(image, 1), one(image, 2), one(image, 3)]).toEqual([3, 640, 3]);
    expect(Buffer.from(image.get(4)![0] as Uint8Array).equals(png)).toBe(true);
    expect([0, 1].map((i) => text(sub(sub(pair!, 5), 1, i), 1))).toEqual(["two/0", "two/1"]);
    expect(() => open(dir).images(1, "x", [Buffer.from("no picture")])).toThrow(/no PNG file \(10 bytes\)/);
  });

  it("holds a histogram's moments and buckets", async () => {
    const dir = folder();
    const tracker = open(dir);
    tracker.histogram(9, "losses", [1, 2, 3, 31, NaN]);
    await tracker.close();
    const value = sub(sub(eventsOf(filesIn(dir)[0]!)[4]!, 5), 1);
    const histogram = sub(value, 5);
    expect([1, 2, 3, 4, 5].map((field) => one(histogram, field))).toEqual([1, 31, 4, 37, 975]);
    expect(doubles(histogram, 6)).toEqual(Array.from({ length: 30 }, (_, i) => i + 2));
    expect(doubles(histogram, 7)).toEqual([1, 1, 1, ...Array.from({ length: 26 }, () => 0), 1]);
  });

  it("sorts after all earlier files of the folder, also within one second", async () => {
    const dir = folder();
    const future = `events.out.tfevents.${Math.floor(Date.now() / 1000) + 50}.host.1`;
    writeFileSync(join(dir, future), "");
    const names = [future];
    for (let i = 0; i < 3; i++) {
      await open(dir).close();
      const added = readdirSync(dir).filter((name) => !names.includes(name));
      expect(added).toHaveLength(1);
      names.push(added[0]!);
    }
    expect([...names].sort()).toEqual(names);
  });
});

describe("histogramOf", () => {
  it("counts every finite value in the bucket between whose limits it lies", () => {
    const values = fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), {
      minLength: 1,
      maxLength: 200,
    });
    fc.assert(
      fc.property(values, (list) => {
        const { limits, counts, min, max, count } = histogramOf(list);
        expect([min, max, count]).toEqual([Math.min(...list), Math.max(...list), list.length]);
        const inside = limits.map((limit, i) => {
          const low = i === 0 ? -Infinity : limits[i - 1]!;
          const isLast = i === limits.length - 1;
          return list.filter((value) => value >= low && (isLast || value < limit)).length;
        });
        expect(counts).toEqual(inside);
        expect(limits.at(-1)).toBe(max);
      }),
      { seed: 2 },
    );
  });

  it("takes equal values, and none", () => {
    expect(histogramOf([3, 3])).toEqual({
      ...{ min: 3, max: 3, count: 2, sum: 6, sumOfSquares: 18 },
      ...{ limits: [3], counts: [2] },
    });
    expect(histogramOf([NaN])).toMatchObject({ count: 0, limits: [0], counts: [0] });
  });
});
