import { createHash } from "node:crypto";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { settledTensorCount } from "../../../test/settled.ts";
import { InvDiffError, tensor, tensorCount, UserError } from "../../torch/index.ts";
import { openRowStore, type RowStore } from "./row-store.ts";
import { MAX_SHARD_ROWS, openShard, writeShard } from "./shard.ts";

let root: string;
let folder: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "row-store-"));
  folder = join(root, "rows");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const keyOf = (name: string | number): string => createHash("sha256").update(String(name)).digest("hex");
const shape = [2, 3];
const open = (): Promise<RowStore> => openRowStore(folder, { rowShape: shape });
/** Six values that tell which row they belong to. */
const valuesOf = (i: number): number[] => Array.from({ length: 6 }, (_, k) => i + k / 8);

function append(store: RowStore, rows: readonly number[]): void {
  using values = tensor(rows.map(valuesOf));
  using shaped = values.view([rows.length, ...shape]);
  store.append(rows.map(keyOf), shaped);
}

function rowsOf(store: RowStore, wanted: readonly number[]): number[] {
  using rows = store.gather(store.locate(wanted.map(keyOf)));
  expect(rows.shape).toEqual([wanted.length, ...shape]);
  return rows.toNumbers();
}

describe("a row store", () => {
  it("gives rows in the order asked for, whatever shards they lie in", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.nat(999), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.nat(), { minLength: 1, maxLength: 60 }),
        async (rows, perShard, picks) => {
          rmSync(folder, { recursive: true, force: true });
          const before = settledTensorCount();
          {
            using store = await open();
            for (let i = 0; i < rows.length; i += perShard) append(store, rows.slice(i, i + perShard));
            const wanted = picks.map((pick) => rows[pick % rows.length]!);
            expect(rowsOf(store, wanted)).toEqual(wanted.flatMap(valuesOf));
            using again = await open();
            expect(rowsOf(again, wanted)).toEqual(wanted.flatMap(valuesOf));
            expect([...again.locate([keyOf("none")])]).toEqual([-1]);
          }
          expect(tensorCount()).toBe(before);
        },
      ),
      { seed: 1, numRuns: 25 },
    );
  });

  it("never gives a wrong row, whichever byte of a shard is damaged", async () => {
    {
      using store = await open();
      append(store, [1, 2, 3]);
    }
    const [name] = readdirSync(folder);
    const path = join(folder, name!);
    const whole = readFileSync(path);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const bytes = Uint8Array.from(whole);
        bytes[at]! ^= change;
        writeFileSync(path, bytes);
        using store = await open();
        for (const row of [1, 2, 3])
          if (store.has(keyOf(row))) expect(rowsOf(store, [row])).toEqual(valuesOf(row));
        // Bytes that mean nothing are the spaces at the header's end and the words of the metadata.
        if (store.damaged.length > 0) expect([store.has(keyOf(1)), existsSync(path)]).toEqual([false, false]);
      }),
      { seed: 2, numRuns: 300 },
    );
  });

  it.each([0, 7, 100, -1])("removes a shard cut at byte %s, and keeps the others", async (size) => {
    {
      using store = await open();
      append(store, [1, 2]);
      append(store, [3]);
    }
    const paths = readdirSync(folder).map((name) => join(folder, name));
    const cut = paths.find((path) => openShardKeys(path).includes(keyOf(1)))!;
    truncateSync(cut, size < 0 ? readFileSync(cut).length - 1 : size);
    using store = await open();
    expect(store.damaged).toEqual([cut]);
    expect(existsSync(cut)).toBe(false);
    expect([1, 2, 3].map((row) => store.has(keyOf(row)))).toEqual([false, false, true]);
    append(store, [1]);
    expect(rowsOf(store, [3, 1])).toEqual([3, 1].flatMap(valuesOf));
  });

  it("is shared: rows of another writer are seen after a refresh, the same rows make the same file", async () => {
    using a = await open();
    using b = await open();
    append(a, [1, 2]);
    expect(b.has(keyOf(1))).toBe(false);
    append(b, [1, 2]);
    append(b, [3]);
    expect(readdirSync(folder)).toHaveLength(2);
    await a.refresh();
    expect(rowsOf(a, [3, 2])).toEqual([3, 2].flatMap(valuesOf));
    // What another process removes stays readable here.
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    expect(rowsOf(b, [1, 3])).toEqual([1, 3].flatMap(valuesOf));
  });

  it("does not take rows of another shape, and says which folder cannot be used", async () => {
    {
      using store = await openRowStore(folder, { rowShape: [6] });
      using values = tensor([valuesOf(1)]);
      store.append([keyOf(1)], values);
    }
    using store = await open();
    expect([store.has(keyOf(1)), store.damaged.length]).toEqual([false, 1]);
    writeFileSync(join(root, "file"), "");
    await expect(openRowStore(join(root, "file"), { rowShape: shape })).rejects.toThrow(UserError);
    await expect(openRowStore(join(root, "file"), { rowShape: shape })).rejects.toThrow(/data\.cacheFolder/);
  });

  it("removes what a killed process left, not what a living one is writing", async () => {
    (await open())[Symbol.dispose]();
    const names = { dead: `a.safetensors.tmp-${2 ** 22 + 7}`, living: `a.safetensors.tmp-${process.ppid}` };
    for (const name of Object.values(names)) writeFileSync(join(folder, name), "");
    (await open())[Symbol.dispose]();
    expect(readdirSync(folder)).toEqual([names.living]);
  });

  it("refuses places and rows that make no sense", async () => {
    using store = await open();
    append(store, [1]);
    expect(() => store.gather(Int32Array.of(-1))).toThrow(InvDiffError);
    expect(() => store.gather(Int32Array.of(MAX_SHARD_ROWS))).toThrow(/no row at place 1024/);
    using values = tensor([valuesOf(1)]);
    expect(() => writeShard(folder, ["short"], values)).toThrow(/expected a SHA-256 for each/);
    expect(() => writeShard(folder, [keyOf(1), keyOf(2)], values)).toThrow(/2 keys for float32 \[1, 6\]/);
  });
});

function openShardKeys(path: string): readonly string[] {
  const shard = openShard(path)!;
  shard.rows.dispose();
  return shard.keys;
}
