import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { picturesOf } from "../../../test/evaluation-parts.ts";
import { settledTensorCount } from "../../../test/settled.ts";
import { encodePng, loadImages } from "../../data/index.ts";
import { DataError, ShapeError, tensor, tensorCount, UserError } from "../../torch/index.ts";
import { fileImages, tensorImages } from "./image-set.ts";

let root = "";
beforeAll(() => (root = mkdtempSync(join(tmpdir(), "image-set-"))));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A picture file whose first pixel's red is `value`. */
async function pictureFile(name: string, value: number, size = 12): Promise<string> {
  using images = picturesOf([value], { size });
  using picture = images.select(0, 0);
  writeFileSync(join(root, name), await encodePng(picture));
  return join(root, name);
}

describe("tensorImages", () => {
  it("has equal keys for equal pictures alone, whichever set they are in", () => {
    using first = picturesOf([1, 2, 1]);
    using images = first.indexSelect(0, tensor(Int32Array.of(0, 1, 0), { dtype: "int64" }));
    const { keys } = tensorImages(images);
    expect(keys[0]).toBe(keys[2]);
    expect(keys[1]).not.toBe(keys[0]);
    expect(keys.every((key) => /^[0-9a-f]{64}$/.test(key))).toBe(true);
    using other = first.slice(0, 1, 2);
    expect(tensorImages(other).keys).toEqual([keys[1]]);
    // Not contiguous, but the same pictures.
    using turned = images.transpose(2, 3);
    using back = turned.transpose(2, 3);
    expect(tensorImages(back).keys).toEqual(keys);
    expect(new Set([...tensorImages(turned).keys, ...keys]).size).toBe(4);
  });

  it("tells pictures of one content and different shapes apart, and takes none", () => {
    using wide = tensor(new Uint8Array(48), { shape: [1, 3, 2, 8] });
    using tall = tensor(new Uint8Array(48), { shape: [1, 3, 8, 2] });
    expect(tensorImages(wide).keys).not.toEqual(tensorImages(tall).keys);
    using none = tensor(new Uint8Array(0), { shape: [0, 3, 2, 2] });
    expect(tensorImages(none).keys).toEqual([]);
  });

  it("gives the rows that are asked for, which are the caller's", async () => {
    using images = picturesOf([5, 6, 7, 8]);
    const before = settledTensorCount();
    const set = tensorImages(images);
    {
      using chosen = await set.load([2, 0, 2]);
      expect(tensorCount()).toBe(before + 1);
      const pictures = images.toNumbers();
      const each = pictures.length / 4;
      const expected = [2, 0, 2].flatMap((row) => pictures.slice(row * each, (row + 1) * each));
      expect(chosen.toNumbers()).toEqual(expected);
      expect(chosen.dtype).toBe("uint8");
    }
    expect(tensorCount()).toBe(before);
  });

  it("refuses what are no pictures", () => {
    using floats = tensor(new Float32Array(12), { shape: [1, 3, 2, 2] });
    using grey = tensor(new Uint8Array(4), { shape: [1, 1, 2, 2] });
    for (const wrong of [floats, grey]) expect(() => tensorImages(wrong)).toThrow(ShapeError);
    expect(() => tensorImages(grey)).toThrow("Images of uint8 [1, 1, 2, 2]; expected uint8 [N, 3, H, W].");
  });
});

describe("fileImages", () => {
  it("knows files by their content and the size they are brought to, not by their names", async () => {
    const files = await Promise.all([
      pictureFile("a.png", 1),
      pictureFile("b.png", 2),
      pictureFile("c.png", 1),
    ]);
    const { keys } = await fileImages(files, 8);
    expect([keys[0] === keys[2], keys[0] === keys[1]]).toEqual([true, false]);
    const others = await fileImages(files, 12);
    expect(new Set([...keys, ...others.keys]).size).toBe(4);
    writeFileSync(files[0], await encodeOf(9));
    const changed = (await fileImages(files, 8)).keys;
    expect(changed[0]).not.toBe(keys[0]);
    expect(changed.slice(1)).toEqual(keys.slice(1));
  });

  it("loads pictures as training does", async () => {
    const files = await Promise.all([0, 1, 2].map((i) => pictureFile(`${i}.png`, 40 * i, 12 + i)));
    const set = await fileImages(files, 8);
    using expected = await loadImages([files[2]!, files[0]!], { size: 8 });
    using found = await set.load([2, 0]);
    expect([...found.shape]).toEqual([2, 3, 8, 8]);
    expect(found.toNumbers()).toEqual(expected.toNumbers());
  });

  it("names files that are missing or broken", async () => {
    const missing = join(root, "nowhere.png");
    await expect(fileImages([missing], 8)).rejects.toThrow(UserError);
    await expect(fileImages([missing], 8)).rejects.toThrow(/nowhere\.png/);
    const broken = join(root, "broken.png");
    writeFileSync(broken, "no picture");
    const set = await fileImages([broken], 8);
    await expect(set.load([0])).rejects.toThrow(DataError);
    await expect(set.load([0])).rejects.toThrow(/broken\.png cannot be read as an image/);
  });

  it("stops when it is told to", async () => {
    const controller = new AbortController();
    controller.abort(new Error("enough"));
    await expect(
      fileImages([await pictureFile("d.png", 1)], 8, { signal: controller.signal }),
    ).rejects.toThrow("enough");
  });
});

async function encodeOf(value: number): Promise<Buffer> {
  using images = picturesOf([value], { size: 12 });
  using picture = images.select(0, 0);
  return await encodePng(picture);
}
