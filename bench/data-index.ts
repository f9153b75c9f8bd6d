// How long it takes to open data sets of 100,000 pictures, of every kind: for the first time, and again in a new process.
//
//   npx tsx bench/data-index.ts [--images 100000] [--json FILE]
//
// The pictures are files of one byte in a temporary folder: opening a data set reads names, captions and columns only. The
// index of caption files is kept there too. Processor time is shown beside the clock's, for machines that have other work.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { openDataset } from "../src/data/dataset.ts";
import { openImageFolder } from "../src/data/index.ts";

const { values } = parseArgs({
  options: {
    images: { type: "string", default: "100000" },
    json: { type: "string" },
    // For the child processes.
    open: { type: "string" },
  },
});

interface Seconds {
  readonly wall: number;
  readonly processor: number;
}

interface Times {
  /** For ids, files and captions. */
  readonly imageFolder: Seconds;
  /** For everything, columns included. */
  readonly dataset: Seconds;
  readonly images: number;
}

async function timed<T>(work: () => T | Promise<T>): Promise<[T, Seconds]> {
  const [start, used] = [performance.now(), process.cpuUsage()];
  const result = await work();
  const { user, system } = process.cpuUsage(used);
  return [result, { wall: (performance.now() - start) / 1e3, processor: (user + system) / 1e6 }];
}

async function measure(path: string): Promise<Times> {
  const [folder, imageFolder] = await timed(() => openImageFolder(path));
  const [opened, dataset] = await timed(() => openDataset(path));
  if (opened.length !== folder.items.length) throw new Error("The two do not see the same pictures.");
  return { imageFolder, dataset, images: opened.length };
}

const name = (i: number): string => `${String(i).padStart(6, "0")}.png`;
const caption = (i: number): string => `a photo of a ${i % 2 ? "water" : "land"}bird, number ${i % 1000}`;

const kinds: Record<string, (folder: string, images: number) => void> = {
  "metadata.jsonl": (folder, images) => {
    fill(folder, images, name);
    const lines = Array.from({ length: images }, (_, i) =>
      JSON.stringify({
        file_name: name(i),
        text: caption(i),
        place: i % 3 ? "water" : "land",
        year: 1990 + (i % 30),
      }),
    );
    writeFileSync(join(folder, "metadata.jsonl"), lines.join("\n"));
  },
  "metadata.csv": (folder, images) => {
    fill(folder, images, name);
    const lines = Array.from(
      { length: images },
      (_, i) => `${name(i)},"${caption(i)}",${i % 3 ? "water" : "land"}`,
    );
    writeFileSync(join(folder, "metadata.csv"), ["file_name,text,place", ...lines].join("\n"));
  },
  "class folders": (folder, images) => {
    for (let c = 0; c < 100; c++) mkdirSync(join(folder, `class ${c}`));
    fill(folder, images, (i) => join(`class ${i % 100}`, name(i)));
  },
  "caption files": (folder, images) => {
    fill(folder, images, name);
    for (let i = 0; i < images; i++) writeFileSync(join(folder, name(i).replace("png", "txt")), caption(i));
  },
};

function fill(folder: string, images: number, nameOf: (i: number) => string): void {
  for (let i = 0; i < images; i++) writeFileSync(join(folder, nameOf(i)), "x");
}

/** In a process of its own, as a user's next command would be. */
const inNewProcess = (path: string, cache: string): Times =>
  JSON.parse(
    execFileSync(process.execPath, ["--import", "tsx", import.meta.filename, "--open", path], {
      encoding: "utf8",
      env: { ...process.env, INVDIFF_CACHE: cache },
    }),
  ) as Times;

async function main(): Promise<void> {
  const images = Number(values.images);
  const rows: (Times & { kind: string; pass: string })[] = [];
  for (const [kind, make] of Object.entries(kinds)) {
    const root = mkdtempSync(join(tmpdir(), "invdiff-index-"));
    const [folder, cache] = [join(root, "data"), join(root, "cache")];
    try {
      mkdirSync(folder);
      make(folder, images);
      for (const pass of ["first", "again"]) rows.push({ kind, pass, ...inNewProcess(folder, cache) });
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  }
  const text = ({ wall, processor }: Seconds): string => `${wall.toFixed(2)} (${processor.toFixed(2)})`;
  console.table(
    rows.map(({ kind, pass, images: count, imageFolder, dataset }) => ({
      ...{ kind, pass, images: count },
      "openImageFolder, s (processor)": text(imageFolder),
      "openDataset, s (processor)": text(dataset),
    })),
  );
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(rows, null, 2));
}

if (values.open === undefined) await main();
else console.log(JSON.stringify(await measure(values.open)));
