// The thread that reads the cache: the rows that the mapped files hold, and what happens when they cannot be read.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CachedRows, cachedRows } from "../../../test/cached-rows.ts";
import type { RowTable } from "../../data/index.ts";
import { InvDiffError, UserError } from "../../torch/index.ts";
import { gatherRows, openFiles, rowBytes } from "./gather-rows.ts";
import { startRowReader } from "./row-reader.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

let folder: string;
let set: CachedRows;
let tables: RowTable[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "row-reader-"));
  set = await cachedRows(folder);
  tables = [set.reading.tables.moments, set.reading.tables.states];
});
afterAll(() => {
  set[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

const floats = (bytes: Uint8Array): number[] => [...new Float32Array(bytes.slice().buffer)];

interface Asked {
  readonly rows: readonly number[];
  readonly captions: readonly number[];
  readonly flips: readonly number[];
}

const asked = fc
  .array(fc.record({ row: fc.nat(19), caption: fc.nat(5), flip: fc.nat(1) }), { minLength: 1, maxLength: 12 })
  .map((list): Asked => ({
    rows: list.map(({ row }) => row),
    captions: list.map(({ caption }) => caption),
    flips: list.map(({ flip }) => flip),
  }));

const requestOf = ({ rows, captions, flips }: Asked) => ({
  rows: Int32Array.from(rows),
  captions: Int32Array.from(captions),
  flips: Uint8Array.from(flips),
});

/** The rows as `load` gives them from the mapped files. */
async function loaded(one: Asked): Promise<number[][]> {
  const { moments, encoderHiddenStates } = await set.load(requestOf(one));
  return [moments, encoderHiddenStates].map((values) => {
    using own = values;
    return own.toNumbers();
  });
}

/** A copy of the tables' files that may be broken. */
function copied(): RowTable[] {
  const to = mkdtempSync(join(folder, "copy-"));
  return tables.map((table, t) => ({
    ...table,
    files: table.files.map(({ path, begin }, i) => {
      const copy = join(to, `${t}-${i}.safetensors`);
      copyFileSync(path, copy);
      return { path: copy, begin };
    }),
  }));
}

describe("the reader of a cache", () => {
  it("gives the rows of the mapped files, in any order, several times and mirrored", async () => {
    expect(tables[0]!.files.length).toBeGreaterThan(5);
    await using reader = startRowReader(tables);
    await fc.assert(
      fc.asyncProperty(fc.array(asked, { minLength: 1, maxLength: 4 }), async (list) => {
        // Asked for all at once, each in a slot of its own.
        const read = await Promise.all(
          list.map(async (one, slot) => {
            const { moments, states } = set.reading.places(requestOf(one));
            return (await reader.read(slot, [moments, states])).map(floats);
          }),
        );
        for (const [i, one] of list.entries()) expect(read[i]).toEqual(await loaded(one));
      }),
      { seed: 5, numRuns: 40 },
    );
  });

  it("names a file that is gone or cut, at the read that needs it, and goes on with the others", async () => {
    const own = copied();
    const [moments] = own as [RowTable];
    await using reader = startRowReader([moments]);
    const { path: cut, begin } = moments.files[2]!;
    truncateSync(cut, statSync(cut).size - 1);
    rmSync(moments.files[3]!.path);
    const at = (file: number, row: number) => Int32Array.of(file * moments.placesPerFile + row);
    const reads = [at(2, 5), at(3, 0), at(2, 4)].map((places, slot) => reader.read(slot, [places]));
    const [last, gone, whole] = await Promise.allSettled(reads);
    const each = rowBytes(moments);
    expect(last).toMatchObject({ status: "rejected", reason: expect.any(UserError) });
    expect(String((last as PromiseRejectedResult).reason)).toContain(
      `${cut} of the cache cannot be read: it ends at byte ${begin + 6 * each - 1}, within a row`,
    );
    expect(gone).toMatchObject({ status: "rejected", reason: expect.any(UserError) });
    expect(String((gone as PromiseRejectedResult).reason)).toMatch(/3\.safetensors of the cache.*ENOENT/);
    expect(whole).toMatchObject({ status: "fulfilled" });
  });

  it("says so when its thread ends, and refuses further work", async () => {
    const ends = () => new Worker("setTimeout(() => process.exit(3), 50)", { eval: true });
    await using reader = startRowReader(tables, ends);
    const places = [Int32Array.of(0), Int32Array.of(0)];
    await expect(reader.read(0, places)).rejects.toThrow(/reads the cache has ended: exit code 3/);
    await expect(reader.read(0, places)).rejects.toThrow(InvDiffError);
  });

  it("ends with what it was asked for, and leaves no thread", async () => {
    const started: Worker[] = [];
    const reader = startRowReader(tables, () => {
      started.push(new Worker("setInterval(() => {}, 1000)", { eval: true }));
      return started[0]!;
    });
    const reading = reader.read(0, [Int32Array.of(0), Int32Array.of(0)]);
    const failed = expect(reading).rejects.toThrow(/has ended/);
    await reader[Symbol.asyncDispose]();
    await failed;
    expect(started[0]!.threadId).toBe(-1);
  });
});

describe("gatherRows", () => {
  it("keeps no more files open than it may", async () => {
    const [moments] = tables as [RowTable];
    await using files = openFiles(2);
    const places = Int32Array.from({ length: 30 }, (_, i) => {
      const file = (i * 5) % moments.files.length;
      return file * moments.placesPerFile + (i % 4);
    });
    const few = new Uint8Array(30 * rowBytes(moments));
    for (const [i, place] of places.entries())
      await gatherRows(files, moments, Int32Array.of(place), few.subarray(i * rowBytes(moments)));
    await using all = openFiles();
    const whole = new Uint8Array(few.length);
    await gatherRows(all, moments, places, whole);
    expect(few).toEqual(whole);
  });

  it("closes what it opened", async () => {
    const files = openFiles();
    const handle = await files.get(tables[0]!.files[0]!.path);
    await files[Symbol.asyncDispose]();
    expect(handle.fd).toBe(-1);
  });
});

/** Runs Node until it ends; the exit code and what it printed. */
async function run(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output };
}

/** A program that reads one row, and does not end its reader. */
const program = (module: string, then = ""): string => `
  const { startRowReader } = await import(${JSON.stringify(pathToFileURL(module).href)});
  const reader = startRowReader(${JSON.stringify([tables[0]])});
  const [bytes] = await reader.read(0, [Int32Array.of(3)]);
  process.stdout.write([...new Float32Array(bytes.slice().buffer)].slice(0, 5).join(" "));
  ${then}`;

const expected = async (): Promise<string> => {
  await using files = openFiles();
  const row = new Uint8Array(rowBytes(tables[0]!));
  await gatherRows(files, tables[0]!, Int32Array.of(3), row);
  return floats(row).slice(0, 5).join(" ");
};

describe("a process", () => {
  const child = (then = "") => {
    const script = program(join(ROOT, "src/experiment/input/row-reader.ts"), then);
    return run(["--import", "tsx", "--input-type=module", "-e", script]);
  };

  it("ends by itself when its rows are read", async () => {
    expect(await child()).toEqual({ code: 0, output: await expected() });
  });

  it("can be ended while the thread works", async () => {
    const then = `
      for (let slot = 1; slot < 50; slot++) void reader.read(slot, [new Int32Array(3000)]);
      setTimeout(() => process.exit(4), 20);`;
    expect(await child(then)).toEqual({ code: 4, output: await expected() });
  });
});

describe("the compiled library", () => {
  it("starts the thread from the compiled file", async () => {
    // Inside the project, so that packages are found.
    mkdirSync(join(ROOT, "build"), { recursive: true });
    const out = mkdtempSync(join(ROOT, "build", "rows-test-"));
    try {
      const config = ts.readConfigFile(join(ROOT, "tsconfig.build.json"), ts.sys.readFile);
      const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, ROOT);
      // Only what the thread needs: its types lead to all of the library.
      const names = [
        "experiment/input/row-worker",
        "experiment/input/gather-rows",
        "data/loader/start-worker",
      ];
      const roots = [...names, "data/in-parallel", "torch/errors"].map((name) =>
        join(ROOT, "src", `${name}.ts`),
      );
      const emitted = { ...options, outDir: out, noCheck: true, noEmit: false, noResolve: true };
      ts.createProgram(roots, emitted).emit();
      const script = `
        const { startWorkerFile } = await import(${JSON.stringify(pathToFileURL(join(out, "data/loader/start-worker.js")).href)});
        const beside = ${JSON.stringify(pathToFileURL(join(out, "experiment/input/row-reader.js")).href)};
        const worker = startWorkerFile("row-worker", beside, { workerData: ${JSON.stringify([tables[0]])} });
        const memory = new SharedArrayBuffer(${rowBytes(tables[0]!)});
        worker.postMessage({ id: 0, places: [Int32Array.of(3)], memory });
        worker.once("message", ({ problem }) => {
          const row = new Float32Array(memory);
          process.stdout.write(problem ? problem.message : [...row].slice(0, 5).join(" "));
          void worker.terminate();
        });`;
      expect(await run(["--input-type=module", "-e", script])).toEqual({ code: 0, output: await expected() });
    } finally {
      rmSync(out, { recursive: true });
    }
  });
});
