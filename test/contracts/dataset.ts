// The checks that every kind of data set must pass, whatever it is stored in; src/data/dataset.test.ts calls them.
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ImageDataset, openDataset } from "../../src/data/dataset.ts";
import { readEvaluationColumns } from "../../src/data/evaluation-columns.ts";
import { openImageFolder } from "../../src/data/index.ts";
import { readImage } from "../../src/data/image-ref.ts";
import { DataError } from "../../src/torch/index.ts";

export interface ExpectedItem {
  readonly id: string;
  readonly captions: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>>;
  /** SHA-256 of the picture's bytes. */
  readonly sha256: string;
}

export interface DatasetCase {
  readonly kind: ImageDataset["kind"];
  /** Writes the data set below an empty folder and says where it is and what is in it. */
  readonly make: (folder: string) => { path: string; split?: string; items: readonly ExpectedItem[] };
}

export const sha256 = (bytes: Uint8Array | string): string =>
  createHash("sha256").update(bytes).digest("hex");

export function datasetContract({ kind, make }: DatasetCase): void {
  describe(kind, () => {
    let folder = "";
    let made: ReturnType<DatasetCase["make"]>;
    let dataset: ImageDataset;
    const all = () => Array.from({ length: dataset.length }, (_, i) => dataset.item(i));
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), "invdiff-dataset-"));
      made = make(folder);
      dataset = await openDataset(made.path, { split: made.split });
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it("says what it is", () => {
      expect(dataset).toMatchObject({
        ...{ kind, path: made.path, split: made.split, length: made.items.length },
        columns: [...new Set(made.items.flatMap(({ metadata }) => Object.keys(metadata)))],
      });
    });

    it("gives ids, captions, metadata and bytes", async () => {
      const found = await Promise.all(
        all().map(async ({ id, captions, metadata, bytes }) => ({
          ...{ id, captions, metadata },
          sha256: sha256(await bytes()),
        })),
      );
      expect(found).toEqual(made.items);
      expect(new Set(found.map(({ id }) => id)).size).toBe(made.items.length);
    });

    it("gives the same items when it is opened again", async () => {
      const again = await openDataset(made.path, { split: made.split });
      const plain = ({ id, captions, metadata, file }: ReturnType<ImageDataset["item"]>) => ({
        ...{ id, captions, metadata, file },
      });
      expect(all().map((_, i) => plain(again.item(i)))).toEqual(all().map(plain));
    });

    it("refers to files that readImage reads", async () => {
      const { file, bytes } = dataset.item(dataset.length - 1);
      expect(Buffer.from(await readImage(file)).equals(await bytes())).toBe(true);
    });

    it("agrees with what training sees, which has no columns", () => {
      if (made.items.every(({ captions }) => captions.length > 0))
        expect(openImageFolder(made.path, { split: made.split }).items).toEqual(
          all().map(({ id, file, captions }) => ({ id, file, captions, caption: captions[0] })),
        );
      else
        expect(() => openImageFolder(made.path, { split: made.split })).toThrow(
          /has no caption\. Expected a string/,
        );
    });

    it("agrees with the columns that the evaluation reads", () => {
      const isComplete = (name: string): boolean =>
        made.items.every(({ metadata }) => ["string", "number"].includes(typeof metadata[name]));
      const columns = dataset.columns.filter(isComplete);
      const rows = readEvaluationColumns(made.path, columns, { split: made.split });
      expect([...rows]).toEqual(
        made.items.map(({ id, metadata }) => [
          id,
          Object.fromEntries(columns.map((name) => [name, metadata[name]])),
        ]),
      );
    });

    it("refuses items and splits that are not there", async () => {
      for (const index of [-1, dataset.length, 0.5, NaN])
        expect(() => dataset.item(index)).toThrow(DataError);
      await expect(openDataset(made.path, { split: "nowhere" })).rejects.toThrow(/has no split "nowhere"/);
    });
  });
}
