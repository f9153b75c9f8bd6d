// invdiff data inspect as a user runs it: output, exit codes, Ctrl-C.
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Inspection } from "../../src/data/inspect/index.ts";
import { parquetFile } from "../parquet-files.ts";
import { interruptCli, runCli } from "./cli.ts";

let root: string;
beforeAll(() => void (root = mkdtempSync(join(tmpdir(), "invdiff-data-inspect-"))));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("invdiff data inspect", () => {
  it("shows a data set, writes a sheet of pictures, and replaces it only when asked", async () => {
    const grid = join(root, "sheet.png");
    const args = ["data", "inspect", parquetFile("hub"), "--grid", grid];
    const first = await runCli(args);
    expect(first).toMatchObject({ code: 0 });
    expect(first.stdout).toMatch(
      /train: 12 pictures \(parquet\)[^]*validation: 2 pictures[^]*Every picture can be read/,
    );
    expect(first.stderr).toMatch(/train: decoding 12\/12/);
    expect((await sharp(grid).metadata()).width).toBe(8 * 96 + 7 * 4);
    expect(await runCli(args)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/exists; choose another/),
    });
    expect(await runCli([...args, "--force", "--split", "validation"])).toMatchObject({ code: 0 });
    expect((await sharp(grid).metadata()).width).toBe(2 * 96 + 4);
  });

  it("names every broken picture, with exit code 1; as JSON too", async () => {
    const folder = join(root, "broken");
    mkdirSync(folder);
    const good = await sharp({ create: { width: 4, height: 4, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    for (let i = 0; i < 6; i++)
      writeFileSync(join(folder, `${i}.png`), i % 2 ? good : good.subarray(0, 20 + i));
    const text = await runCli(["data", "inspect", folder]);
    expect(text.code).toBe(1);
    for (const name of ["0.png", "2.png", "4.png"])
      expect(text.stdout).toContain(`${name}: cannot be read as an image`);
    expect(text.stdout).toContain("1.png, 3.png, 5.png");
    const json = await runCli(["data", "inspect", folder, "--json"]);
    expect(json.code).toBe(1);
    const { splits } = JSON.parse(json.stdout) as Inspection;
    expect(splits[0]!.broken.map(({ id }) => id)).toEqual(["0.png", "2.png", "4.png"]);
  });

  it.each([
    [[join("no", "such", "folder", "here")], /There is no folder no.such.folder.here. Expected pictures/],
    [[parquetFile("hub"), "--split", "night"], /has no split "night". It has: train, validation/],
    [[parquetFile("shapes/no-image.parquet")], /has no column of pictures/],
  ])("explains %j", async (args, message) => {
    const { code, stderr } = await runCli(["data", "inspect", ...args]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(message) as string });
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it("stops at Ctrl-C, leaving no sheet", async () => {
    const folder = join(root, "large");
    mkdirSync(folder);
    const picture = await sharp({ create: { width: 3000, height: 3000, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    for (let i = 0; i < 200; i++) writeFileSync(join(folder, `${i}.png`), picture);
    const grid = join(root, "none.png");
    const found = await interruptCli(["data", "inspect", folder, "--grid", grid], /decoding \d+\/200/);
    expect(found.code).not.toBe(0);
    expect(found.stderr).toContain("Stopped.");
    expect(found.stdout).toBe("");
    expect(existsSync(grid)).toBe(false);
    expect(statSync(folder).isDirectory()).toBe(true);
  });
});
