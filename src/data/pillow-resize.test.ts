// Resizing, cropping, mirroring and normalising against Pillow and torchvision (tools/golden/pillow-resize.py), every value exact.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ownGolden } from "../../test/own-golden.ts";
import type { Tensor } from "../torch/index.ts";
import { normalizedLevels } from "./loader/picture-job.ts";
import { pillowResize, pillowResizeToLevels, type RgbImage } from "./pillow-resize.ts";
import { type Filter, pillowTaps } from "./pillow-taps.ts";
import { type Fit, fittedSize, fitWindow } from "./resize.ts";

const expected = ownGolden("pillow-resize");
const bytes = (key: string): Uint8Array => expected.get(key).toArray() as Uint8Array;

function picture(key: string): RgbImage {
  const tensor: Tensor = expected.get(key);
  const [height = 0, width = 0] = tensor.shape;
  return { data: tensor.toArray() as Uint8Array, width, height };
}

const cases = expected.json("cases") as { picture: string; fit: Fit; expected: string }[];

describe("pillowResize", () => {
  it.each(cases)("equals torchvision on PIL images: $expected", ({ picture: key, fit, expected: want }) => {
    const image = picture(key);
    expect(fittedSize(fit)).toEqual(expected.get(want).shape.slice(1));
    expect(pillowResize(image, fitWindow(image, fit))).toEqual(bytes(want));
  });

  it("mirrors the resized picture", () => {
    const image = picture("48x64");
    expect(pillowResize(image, fitWindow(image, { size: 17 }, { mirrored: true }))).toEqual(
      bytes("mirrored"),
    );
  });

  it("writes into memory that it is given, and not beyond", () => {
    const image = picture("48x64");
    const window = fitWindow(image, { size: 17 });
    const room = new Uint8Array(3 * 17 * 17 + 40).fill(99);
    const target = room.subarray(20, -20);
    expect(pillowResize(image, window, target)).toBe(target);
    expect(target).toEqual(pillowResize(image, window));
    expect([...room.subarray(0, 20), ...room.subarray(-20)]).toEqual(new Array(40).fill(99));
  });

  it("gives pictures of more than a band of the kernel's memory", () => {
    // Columns of 0 and 255 in turn, rows that grow: halved, every pixel is known.
    const [width, height] = [1000, 1200];
    const data = new Uint8Array(3 * width * height);
    for (let y = 0; y < height; y++) data.fill(Math.floor(y / 5), 3 * y * width, 3 * (y + 1) * width);
    const result = pillowResize(
      { data, width, height },
      { newWidth: 500, newHeight: 240, left: 3, top: 0, size: [240, 490] },
    );
    // Of every five equal rows the middle one's value: the triangle reaches over neighbours on both sides alike.
    for (const [c, y, x] of [
      [0, 1, 0],
      [1, 100, 489],
      [2, 238, 17],
    ] as const)
      expect(result[(c * 240 + y) * 490 + x]).toBe(y);
  });

  it("equals the plain sum over taps, whatever the sizes", () => {
    const side = fc.integer({ min: 1, max: 40 });
    const windows = fc.record({
      ...{ width: side, height: side, newWidth: side, newHeight: side },
      ...{
        left: fc.double({ min: 0, max: 1, noNaN: true }),
        top: fc.double({ min: 0, max: 1, noNaN: true }),
      },
      filter: fc.constantFrom<Filter>("bilinear", "bicubic"),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(windows, ({ width, height, newWidth, newHeight, left: l, top: t, filter, seed }) => {
        const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => ((i + 1) * (seed | 1)) >>> 3);
        const [left, top] = [Math.floor(l * newWidth * 0.99), Math.floor(t * newHeight * 0.99)];
        const size = [newHeight - top, newWidth - left] as const;
        const window = { newWidth, newHeight, left, top, size, filter };
        expect(pillowResize({ data, width, height }, window)).toEqual(plain({ data, width, height }, window));
      }),
      { seed: 6, numRuns: 200 },
    );
  });
});

/** The definition: rows, rounded; then columns, rounded. */
function plain(
  { data, width, height }: RgbImage,
  window: {
    newWidth: number;
    newHeight: number;
    left: number;
    top: number;
    size: readonly [number, number];
    filter: Filter;
  },
): Uint8Array {
  const [rows, columns] = window.size;
  const across = pillowTaps(width, window.newWidth, { from: window.left, count: columns }, window.filter);
  const down = pillowTaps(height, window.newHeight, { from: window.top, count: rows }, window.filter);
  const sum = (taps: typeof across, i: number, value: (source: number) => number): number => {
    let total = 0.5 * 2 ** 22;
    for (let k = 0; k < taps.count; k++)
      total += taps.weights[i * taps.count + k]! * value(taps.firsts[i]! + k);
    return Math.min(Math.max(Math.floor(total / 2 ** 22), 0), 255);
  };
  const result: number[] = [];
  for (let c = 0; c < 3; c++) {
    const narrow = Array.from({ length: height }, (_, y) =>
      Array.from({ length: columns }, (__, x) => sum(across, x, (from) => data[3 * (y * width + from) + c]!)),
    );
    for (let y = 0; y < rows; y++)
      for (let x = 0; x < columns; x++) result.push(sum(down, y, (from) => narrow[from]![x]!));
  }
  return Uint8Array.from(result);
}

describe("pillowResizeToLevels", () => {
  const normalised = expected.json("normalised") as { mean: number[]; std: number[]; expected: string }[];
  it.each(normalised)(
    "equals ToTensor and Normalize for every byte: $mean, $std",
    ({ mean, std, expected: want }) => {
      const every = Uint8Array.from({ length: 3 * 256 }, (_, i) => Math.floor(i / 3));
      const image = { data: every, width: 16, height: 16 };
      const values = pillowResizeToLevels(image, fitWindow(image, { size: 16 }), normalizedLevels(mean, std));
      expect(values).toEqual(expected.get(want).toArray());
    },
  );

  it("looks up what pillowResize gives, channel by channel", () => {
    const image = picture("61x37");
    const window = fitWindow(image, { squash: [19, 23], filter: "bicubic" }, { mirrored: true });
    const levels = Float32Array.from({ length: 768 }, (_, i) => i / 3);
    const each = 19 * 23;
    const want = Float32Array.from(
      pillowResize(image, window),
      (byte, i) => levels[256 * Math.floor(i / each) + byte]!,
    );
    expect(pillowResizeToLevels(image, window, levels)).toEqual(want);
  });
});
