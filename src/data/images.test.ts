import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { settledTensorCount } from "../../test/settled.ts";
import { DataError, ShapeError, tensor, tensorCount } from "../torch/index.ts";
import { imageGrid } from "./image-grid.ts";
import { fromModelRange, loadImages, savePng, toModelRange } from "./images.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "images-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const png = async (
  name: string,
  data: Uint8Array,
  width: number,
  height: number,
  channels: 1 | 3 | 4 = 3,
): Promise<string> => {
  const file = join(folder, name);
  await sharp(data, { raw: { width, height, channels } }).png().toFile(file);
  return file;
};

describe("loadImages", () => {
  it("decodes grey, alpha and rotated pictures as RGB in planes", async () => {
    const grey = await png("grey.png", Uint8Array.of(10, 20, 30, 40), 2, 2, 1);
    const alpha = await png(
      "alpha.png",
      Uint8Array.of(1, 2, 3, 0, 4, 5, 6, 9, 7, 8, 9, 99, 10, 11, 12, 255),
      2,
      2,
      4,
    );
    const turned = join(folder, "turned.png");
    await sharp(Uint8Array.of(1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4), {
      raw: { width: 2, height: 2, channels: 3 },
    })
      .withMetadata({ orientation: 3 })
      .png()
      .toFile(turned);
    const seen: number[] = [];
    const before = settledTensorCount();
    {
      using images = await loadImages([grey, alpha, turned], {
        size: 2,
        onProgress: (done) => seen.push(done),
      });
      expect(images.shape).toEqual([3, 3, 2, 2]);
      expect(images.dtype).toBe("uint8");
      expect(images.toNumbers()).toEqual(
        [
          [10, 20, 30, 40, 10, 20, 30, 40, 10, 20, 30, 40],
          [1, 4, 7, 10, 2, 5, 8, 11, 3, 6, 9, 12],
          [4, 3, 2, 1, 4, 3, 2, 1, 4, 3, 2, 1],
        ].flat(),
      );
    }
    expect(seen).toEqual([1, 2, 3]);
    expect(tensorCount()).toBe(before);
  });

  it("crops and mirrors each file as told, from bytes that the caller gives", async () => {
    const wide = await png(
      "wide.png",
      Uint8Array.from({ length: 5 * 2 * 3 }, (_, i) => i),
      5,
      2,
    );
    const read = (file: string, i: number) => {
      asked.push(`${i} ${file}`);
      return Promise.resolve(readFileSync(wide));
    };
    const asked: string[] = [];
    using images = await loadImages(["a", "b", "c"], {
      size: 2,
      crops: [0, 0, 0.5, 0.3, 0, 0.99],
      flips: [0, 1, 0],
      read,
    });
    // Red of column x, row y is 3 x + 15 y; the squares begin in columns 0, 1 and 3.
    const red = [...images.toNumbers()].filter((_, i) => i % 12 < 4);
    expect(red).toEqual([...[0, 3, 15, 18], ...[6, 3, 21, 18], ...[9, 12, 24, 27]]);
    expect(asked.sort()).toEqual(["0 a", "1 b", "2 c"]);
    using centred = await loadImages([wide], { size: 2 });
    expect(centred.toNumbers().slice(0, 4)).toEqual([6, 9, 21, 24]);
  });

  it("gives exactly the mirror image of the resized picture", async () => {
    const file = await png(
      "noise.png",
      Uint8Array.from({ length: 31 * 23 * 3 }, (_, i) => (i * i * 7919) % 251),
      31,
      23,
    );
    using plain = await loadImages([file], { size: 16 });
    using flipped = await loadImages([file], { size: 16, flips: [1] });
    using mirrored = plain.flip([3]);
    expect(flipped.toNumbers()).toEqual(mirrored.toNumbers());
    expect(flipped.toNumbers()).not.toEqual(plain.toNumbers());
  });

  it("names the file that is no image, is cut short or is missing", async () => {
    const text = join(folder, "text.png");
    writeFileSync(text, "not an image");
    await expect(loadImages([text], { size: 8 })).rejects.toThrow(DataError);
    await expect(loadImages([text], { size: 8 })).rejects.toThrow(/text.png cannot be read as an image/);
    await expect(loadImages([join(folder, "none.png")], { size: 8 })).rejects.toThrow(
      /none.png cannot be read/,
    );
    const noise = Uint8Array.from({ length: 48 * 48 * 3 }, (_, i) => (i * i * 7919) % 251);
    const whole = readFileSync(await png("whole.png", noise, 48, 48));
    const cut = join(folder, "cut.png");
    writeFileSync(cut, whole.subarray(0, whole.length / 2));
    await expect(loadImages([cut], { size: 8 })).rejects.toThrow(/cut.png cannot be read/);
  });

  it("stops when aborted", async () => {
    const file = await png("pixel.png", Uint8Array.of(1, 2, 3), 1, 1);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(loadImages([file], { size: 1, signal })).rejects.toThrow("enough");
  });
});

describe("model range", () => {
  it("maps 0..255 to -1..1 and back without loss", () => {
    using all = tensor(Uint8Array.from({ length: 256 }, (_, i) => i));
    using range = toModelRange(all);
    const values = range.toNumbers();
    expect([values[0], values[255]]).toEqual([-1, 1]);
    using back = fromModelRange(range);
    expect(back.toNumbers()).toEqual(all.toNumbers());
    using wild = tensor([-3, -1, 0.004, 1, 7]);
    using clamped = fromModelRange(wild);
    expect(clamped.toNumbers()).toEqual([0, 0, 128, 255, 255]);
  });
});

describe("savePng and imageGrid", () => {
  it("saves what loadImages reads", async () => {
    using picture = tensor(
      Uint8Array.from({ length: 3 * 4 * 4 }, (_, i) => i * 5),
      { shape: [3, 4, 4] },
    );
    const file = join(folder, "saved.png");
    await savePng(file, picture);
    using images = await loadImages([file], { size: 4 });
    expect(images.toNumbers()).toEqual(picture.toNumbers());
    await expect(savePng(file, images)).rejects.toThrow(ShapeError);
  });

  it("lays pictures out in rows with gaps", async () => {
    using pictures = tensor(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9), { shape: [3, 3, 1, 1] });
    const sheet = await imageGrid(pictures, { columns: 2, scale: 2, gap: 1 });
    const { data, info } = await sharp(sheet).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([5, 5]);
    const at = (x: number, y: number): number[] => [...data.subarray((y * 5 + x) * 3, (y * 5 + x) * 3 + 3)];
    expect([at(0, 0), at(1, 1), at(2, 2), at(3, 0), at(4, 1), at(1, 3), at(4, 4)]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
      [255, 255, 255],
      [4, 5, 6],
      [4, 5, 6],
      [7, 8, 9],
      [255, 255, 255],
    ]);
    await expect(imageGrid(pictures, { columns: 0 })).rejects.toThrow(/columns = 0/);
  });
});
