// What opening and writing cost in memory, whatever the size of the file.
import { execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { bytesOf, uint } from "../../test/pickle-bytes.ts";
import { arange, scope } from "../torch/index.ts";
import { readSafetensors, readSafetensorsHeader, writeSafetensors } from "./index.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "safetensors-memory-"));
  path = join(folder, "x.safetensors");
});
afterEach(() => rmSync(folder, { recursive: true }));

it("opens 2 GiB in milliseconds and touches no data", () => {
  const bytes = 2 ** 31;
  const parts = Array.from({ length: 64 }, (_, i) => [
    `layer.${i}.weight`,
    { dtype: "F32", shape: [2 ** 23], data_offsets: [(i * bytes) / 64, ((i + 1) * bytes) / 64] },
  ]);
  const header = Buffer.from(JSON.stringify(Object.fromEntries(parts)));
  const fd = openSync(path, "w");
  writeSync(fd, bytesOf(uint(header.length, 8), header));
  ftruncateSync(fd, 8 + header.length + bytes); // a hole: no block of it is on the disk
  closeSync(fd);
  const { blocks } = statSync(path);
  const rss = process.memoryUsage().rss;
  const times = Array.from({ length: 5 }, () => {
    // Time of the processor, which other processes do not lengthen.
    const start = process.cpuUsage();
    const tensors = readSafetensors(path);
    const { user, system } = process.cpuUsage(start);
    expect(tensors.size).toBe(64);
    expect(tensors.get("layer.63.weight")!.shape).toEqual([2 ** 23]);
    for (const tensor of tensors.values()) tensor.dispose();
    return (user + system) / 1000;
  });
  expect(process.memoryUsage().rss - rss).toBeLessThan(20 * 2 ** 20);
  expect(Math.min(...times)).toBeLessThan(50);
  expect(statSync(path).blocks).toBe(blocks);
  const last = readSafetensors(path).get("layer.63.weight")!;
  expect(last.slice(0, 2 ** 23 - 1, 2 ** 23).item()).toBe(0);
});

/** Kilobytes by which a process grows while it writes three tensors. */
const growthOfWriting = (layout: string): number =>
  Number(
    execFileSync(
      process.execPath,
      [
        "--import",
        "tsx",
        fileURLToPath(new URL("../../test/safetensors-child.ts", import.meta.url)),
        path,
        layout,
      ],
      { encoding: "utf8" },
    ),
  );

it.each([
  ["plain", 64, 16],
  ["transposed", 256, 100],
  ["permuted", 256, 100],
])("writes %s tensors of %d MiB with less than %d MiB more", (layout, mebibytes, limit) => {
  const growth = growthOfWriting(layout);
  expect(growth / 1024).toBeLessThan(limit);
  const { tensors } = readSafetensorsHeader(path);
  expect([...tensors.values()].map(({ begin, end }) => (end - begin) / 2 ** 20)).toEqual(
    Array<number>(3).fill(mebibytes),
  );
});

it("writes large tensors piece by piece in the right order, however they lie in memory", () => {
  scope(() => {
    const numbers = (count: number) => arange(count).remainder(251).to("uint8");
    const written = {
      transposed: numbers(4200 * 4100)
        .view([4200, 4100])
        .transpose(0, 1),
      "long rows": numbers(2 * 17_000_000)
        .view([17_000_000, 2])
        .transpose(0, 1),
      permuted: numbers(3 * 2400 * 2500)
        .view([3, 2400, 2500])
        .permute([2, 0, 1]),
      flat: numbers(17_000_001),
    };
    writeSafetensors(path, written);
    const read = readSafetensors(path);
    for (const [name, tensor] of Object.entries(written)) {
      const wanted = tensor.contiguous();
      const same = read
        .get(name)!
        .withBytes((bytes) => wanted.withBytes((expected) => Buffer.compare(bytes, expected) === 0));
      expect(same, name).toBe(true);
      read.get(name)!.dispose();
    }
  });
});
