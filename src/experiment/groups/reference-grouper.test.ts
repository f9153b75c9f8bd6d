import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { golden } from "../../../test/golden-dir.ts";
import * as py from "../../../test/pickle-bytes.ts";
import { settledTensorCount } from "../../../test/settled.ts";
import { readSafetensors } from "../../checkpoint/index.ts";
import { CheckpointError, DataError, tensorCount } from "../../torch/index.ts";
import { readReferenceGrouper } from "./reference-grouper.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "grouper-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const published = golden("reference-files/weights_t_g8_w0.pkl");
const table = (
  JSON.parse(readFileSync(golden("reference-files.json"), "utf8")) as {
    index2index: Record<string, number>;
  }
).index2index;
const tensor = readSafetensors(golden("reference-files.safetensors")).get("weights")!;
const [rows, count] = tensor.shape as [number, number];
const weights = tensor.toArray() as Float32Array;
const row = (index: number) => [...weights.subarray(index * count, (index + 1) * count)];

/** The published weights alone, or with an index2index.pkl of these pairs. */
function files(pairs?: readonly (readonly [number, number])[]): string {
  const path = join(dir, "weights.pkl");
  copyFileSync(published, path);
  if (pairs)
    writeFileSync(
      join(dir, "index2index.pkl"),
      py.pickle(py.dict(...pairs.flatMap(([index, at]) => [py.int(index), py.int(at)]))),
    );
  return path;
}
const named = (length: number, name = (i: number) => `bird-${i}.png`) =>
  Array.from({ length }, (_, i) => name(i));

describe("a published grouper", () => {
  it("gives the row that index2index.pkl says, by the numbers of the files", () => {
    const before = settledTensorCount();
    const dataset = Object.keys(table).map((index) => `train/${index}.jpg`);
    const read = readReferenceGrouper(published, { dataset });
    expect(tensorCount()).toBe(before);
    expect(read).toMatchObject({ count, ids: dataset, rowsBy: "file number in index2index" });
    const expected = Object.values(table).flatMap(row);
    read.weights.forEach((weight, i) => expect(weight).toBeCloseTo(expected[i]!, 6));
    const [some] = [dataset.slice(3, 9).reverse()];
    const part = readReferenceGrouper(published, { dataset, ids: some });
    expect([...part.weights.subarray(0, count)]).toEqual([...read.weights.subarray(8 * count, 9 * count)]);
  });

  it("takes places in the data set where names are no numbers, in any order of rows", () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray(
          Array.from({ length: rows }, (_, i) => i),
          { minLength: 1 },
        ),
        (order) => {
          const path = files(order.map((at, place) => [place, at]));
          const read = readReferenceGrouper(path, { dataset: named(order.length) });
          expect(read.rowsBy).toBe("place in index2index");
          const expected = order.flatMap(row);
          read.weights.forEach((weight, i) => expect(weight).toBeCloseTo(expected[i]!, 6));
        },
      ),
      { numRuns: 20, seed: 6 },
    );
  });

  it("takes places where the numbers of the files are not the dict's", () => {
    const path = files(Array.from({ length: 5 }, (_, i) => [i, 4 - i]));
    const dataset = named(5, (i) => `00000${i + 1}.jpg`);
    const read = readReferenceGrouper(path, { dataset, ids: ["000005.jpg"] });
    expect(read.rowsBy).toBe("place in index2index");
    row(0).forEach((weight, g) => expect(read.weights[g]).toBeCloseTo(weight, 6));
  });

  it("gives row i to image i without a dict", () => {
    const read = readReferenceGrouper(files(), { dataset: named(rows), ids: ["bird-2.png", "bird-1.png"] });
    expect(read.rowsBy).toBe("place");
    [...row(2), ...row(1)].forEach((weight, i) => expect(read.weights[i]).toBeCloseTo(weight, 6));
  });

  it("takes the dict that is named, wherever it lies", () => {
    const path = files();
    const index = join(dir, "other.pkl");
    writeFileSync(index, py.pickle(py.dict(py.int(0), py.int(rows - 1))));
    const read = readReferenceGrouper(path, { dataset: ["x.png"], index });
    row(rows - 1).forEach((weight, g) => expect(read.weights[g]).toBeCloseTo(weight, 6));
  });
});

describe("a grouper that does not fit", () => {
  it("has a row for each image without a dict", () => {
    const read = () => readReferenceGrouper(files(), { dataset: named(rows + 1) });
    expect(read).toThrow(DataError);
    expect(read).toThrow(`has ${rows} rows, and the data set ${rows + 1} images; expected a row for each`);
  });

  it("has every image in its dict", () => {
    const read = () =>
      readReferenceGrouper(
        files([
          [0, 1],
          [2, 3],
        ]),
        { dataset: named(3) },
      );
    expect(read).toThrow(DataError);
    expect(read).toThrow(/by their places "bird-1\.png"\. It has 2 indices: "0", "2"/);
  });

  it("has the rows that its dict names", () => {
    const read = () =>
      readReferenceGrouper(
        files([
          [0, 1],
          [1, rows],
        ]),
        { dataset: named(2) },
      );
    expect(read).toThrow(DataError);
    expect(read).toThrow(`has ${rows} rows, but`);
    expect(read).toThrow(/asks for others, for "bird-1\.png"/);
  });

  it("is asked for images of its data set", () => {
    const read = () => readReferenceGrouper(files(), { dataset: named(rows), ids: ["cat.png"] });
    expect(read).toThrow(new RegExp(`data set of ${rows} images has no "cat\\.png"`));
  });

  it.each([
    ["samples_t.pkl", /holds a dict of 4 entries; expected one tensor \[images, groups\]/],
    ["index2index.pkl", /holds a dict of \d+ entries; expected one tensor/],
  ])("is no %s", (name, message) => {
    const before = settledTensorCount();
    const read = () => readReferenceGrouper(golden(`reference-files/${name}`), { dataset: named(rows) });
    expect(read).toThrow(CheckpointError);
    expect(read).toThrow(message);
    expect(tensorCount()).toBe(before);
  });

  it("has whole numbers in its dict", () => {
    const path = files();
    for (const wrong of [
      py.dict(py.text("0"), py.int(1)),
      py.dict(py.int(0), py.int(-1)),
      py.list(py.int(0)),
    ]) {
      writeFileSync(join(dir, "index2index.pkl"), py.pickle(wrong));
      const read = () => readReferenceGrouper(path, { dataset: ["a.png"] });
      expect(read).toThrow(CheckpointError);
      expect(read).toThrow(/expected a dict from an image's index to its row/);
    }
  });

  it("runs no code, and is told when damaged", () => {
    const bytes = readFileSync(published);
    const path = join(dir, "weights.pkl");
    const dataset = named(rows);
    writeFileSync(path, py.pickle(py.call("os.system", py.text("true"))));
    expect(() => readReferenceGrouper(path, { dataset })).toThrow(CheckpointError);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), (length) => {
        writeFileSync(path, bytes.subarray(0, length));
        expect(() => readReferenceGrouper(path, { dataset })).toThrow(CheckpointError);
      }),
      { numRuns: 50, seed: 7 },
    );
  });
});
