import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mirror, offset, resizeAndCrop, type RgbImage } from "./resize.ts";

/** A picture whose red channel is the column, green the row. */
function chart(width: number, height: number): RgbImage {
  const data = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data.set([x, y, 7], 3 * (y * width + x));
  return { data, width, height };
}

/** Column and row that the square begins with. */
const corner = (square: Uint8Array, size: number): number[] => [square[0]!, square[size * size]!];

describe("resizeAndCrop", () => {
  it.each([
    [0, 0, 0],
    [1, 5, 0],
    [0.5, 3, 0],
    [0.999999, 5, 0],
  ])("cuts a wide picture at position %s: from column %s, row %s", (horizontal, column, row) => {
    const square = resizeAndCrop(chart(9, 4), 4, { vertical: 0.7, horizontal });
    expect(corner(square, 4)).toEqual([column, row]);
    expect([...square.subarray(0, 4)]).toEqual([0, 1, 2, 3].map((x) => column + x));
  });

  it("cuts a high picture at the vertical position", () => {
    expect(corner(resizeAndCrop(chart(4, 10), 4, { vertical: 0.4, horizontal: 1 }), 4)).toEqual([0, 2]);
    expect(corner(resizeAndCrop(chart(4, 10), 4), 4)).toEqual([0, 3]);
  });

  it("cuts the same square of a resized picture as of the whole", () => {
    const image = chart(90, 40);
    const whole = resizeAndCrop(image, 20, { vertical: 0, horizontal: 0 });
    // 90 x 40 becomes 45 x 20: offset 13 of 25.
    const part = resizeAndCrop(image, 20, { vertical: 0, horizontal: 0.5 });
    const rows = (square: Uint8Array, from: number, to: number) =>
      Array.from({ length: 20 }, (_, y) => [...square.subarray(y * 20 + from, y * 20 + to)]);
    expect(rows(whole, 13, 20)).toEqual(rows(part, 0, 7));
  });

  it("leaves a picture of the right size alone, whatever the position", () => {
    const square = resizeAndCrop(chart(4, 4), 4, { vertical: 1, horizontal: 1 });
    expect(corner(square, 4)).toEqual([0, 0]);
  });
});

describe("offset", () => {
  it("is a whole number from 0 to the slack, in order, with equal shares", () => {
    fc.assert(
      fc.property(fc.nat(300), fc.double({ min: 0, max: 1, noNaN: true }), (slack, position) => {
        const at = offset(slack, position);
        expect(Number.isInteger(at) && at >= 0 && at <= slack).toBe(true);
        if (position < 1) expect(at).toBe(Math.floor(position * (slack + 1)));
      }),
      { seed: 4, numRuns: 300 },
    );
    const counts = new Map<number, number>();
    for (let i = 0; i < 600; i++) {
      const at = offset(5, i / 600);
      counts.set(at, (counts.get(at) ?? 0) + 1);
    }
    expect([...counts]).toEqual([0, 1, 2, 3, 4, 5].map((at) => [at, 100]));
  });

  it("stays inside for positions beyond", () => {
    expect([offset(5, -0.1), offset(5, 1.7)]).toEqual([0, 5]);
  });
});

describe("mirror", () => {
  it("reverses every row, and twice gives the picture back", () => {
    expect([...mirror(Uint8Array.of(1, 2, 3, 4, 5, 6), 3)]).toEqual([3, 2, 1, 6, 5, 4]);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.nat(9),
        fc.infiniteStream(fc.nat(255)),
        (width, rows, values) => {
          const pixels = Uint8Array.from({ length: 3 * rows * width }, () => values.next().value as number);
          const once = mirror(pixels.slice(), width);
          for (let i = 0; i < pixels.length; i++) {
            const start = i - (i % width);
            expect(once[i]).toBe(pixels[start + width - 1 - (i % width)]);
          }
          expect(mirror(once, width)).toEqual(pixels);
        },
      ),
      { seed: 5, numRuns: 100 },
    );
  });
});
