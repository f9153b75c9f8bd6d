import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DataError } from "../../torch/index.ts";
import { openImageFolder } from "../image-folder.ts";
import { Random } from "../random.ts";
import {
  birdRows,
  birdScene,
  caption,
  places,
  poses,
  subjects,
  writeBirds,
  type BirdRow,
  type Place,
} from "./index.ts";

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "birds-"));
});
afterEach(() => {
  rmSync(parent, { recursive: true });
});

const count = (rows: readonly BirdRow[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { subject, place } of rows)
    counts[`${subject} on ${place}`] = (counts[`${subject} on ${place}`] ?? 0) + 1;
  return counts;
};

describe("birdRows", () => {
  it("has exact counts in shuffled order", () => {
    const rows = birdRows("train", 4000, 0.9, 0);
    expect(count(rows)).toEqual({
      "waterbird on water": 1800,
      "waterbird on land": 200,
      "landbird on land": 1800,
      "landbird on water": 200,
    });
    // In the first tenth there is every kind: the order is shuffled.
    expect(Object.keys(count(rows.slice(0, 400)))).toHaveLength(4);
    expect(rows).toEqual(birdRows("train", 4000, 0.9, 0));
    expect(rows).not.toEqual(birdRows("train", 4000, 0.9, 1));
    expect(new Set(rows.map((row) => row.file_name)).size).toBe(4000);
  });

  it("has exact counts of the pose too, at every place the same share, when asked for", () => {
    const counts = new Map<string, number>();
    for (const { subject, place, pose } of birdRows("train", 4000, 0.9, 0, 0.8)) {
      const kind = `${subject} on ${place}, ${pose}`;
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
    expect(Object.fromEntries(counts)).toEqual({
      "waterbird on water, left": 1440,
      "waterbird on water, right": 360,
      "waterbird on land, left": 160,
      "waterbird on land, right": 40,
      "landbird on land, right": 1440,
      "landbird on land, left": 360,
      "landbird on water, right": 160,
      "landbird on water, left": 40,
    });
    expect(birdRows("train", 8, 0.9, 0).some((row) => "pose" in row)).toBe(false);
  });

  it("never names the place in the caption", () => {
    expect(subjects.map(caption)).toEqual(["a photo of a waterbird", "a photo of a landbird"]);
  });
});

describe("birdScene", () => {
  const blueOverGreen = async (svg: string): Promise<number> => {
    const { channels } = await sharp(Buffer.from(svg))
      .extract({ left: 0, top: 28, width: 64, height: 36 })
      .stats();
    return channels[2]!.mean - channels[1]!.mean;
  };

  it("gives the same picture for the same random numbers, a standing one for each of the four kinds", async () => {
    for (const subject of subjects)
      for (const place of places) {
        const draw = (seed: number): string => birdScene({ subject, place, random: new Random(seed) });
        expect(draw(1)).toBe(draw(1));
        expect(draw(1)).not.toBe(draw(2));
        expect(draw(1)).not.toMatch(/NaN|undefined|<text/);
        const { width, height } = await sharp(Buffer.from(draw(1))).metadata();
        expect([width, height]).toEqual([64, 64]);
      }
  });

  it("shows the place in the mean colour, whatever the bird", async () => {
    for (let seed = 0; seed < 20; seed++)
      for (const subject of subjects) {
        const at = (place: Place) => blueOverGreen(birdScene({ subject, place, random: new Random(seed) }));
        expect((await at("water")) - (await at("land"))).toBeGreaterThan(20);
      }
  });
});

describe("pose", () => {
  /** Mean horizontal position of what differs from the same scene with the bird on the other side. */
  const pixels = async (pose: "left" | "right" | undefined, seed: number): Promise<Buffer> => {
    const svg = birdScene({ subject: "waterbird", place: "land", pose, random: new Random(seed) });
    return sharp(Buffer.from(svg)).removeAlpha().raw().toBuffer();
  };

  it("puts the bird on the side that it looks away from, in one and the same scene", async () => {
    for (let seed = 0; seed < 8; seed++) {
      const [left, right] = [await pixels("left", seed), await pixels("right", seed)];
      const differs = Array.from({ length: 64 * 64 }, (_, i) => left[3 * i] !== right[3 * i]);
      // The sky's upper corners are the same: only the bird and its footing moved.
      expect(differs.filter((value, i) => value && i < 64 * 6)).toEqual([]);
      expect(differs.filter(Boolean).length).toBeGreaterThan(200);
    }
    const x = (pose: "left" | "right") => {
      const svg = birdScene({ subject: "landbird", place: "land", pose, random: new Random(3) });
      return Number(/translate\(([\d.]+) [\d.]+\) scale\((-?)/.exec(svg)![1]);
    };
    expect(x("left")).toBeGreaterThan(32);
    expect(x("right")).toBeLessThan(32);
  });

  it("draws what it drew before when no pose is given: either side, by the same random numbers", () => {
    const facing = Array.from({ length: 40 }, (_, seed) =>
      /scale\(-/.test(birdScene({ subject: "landbird", place: "land", random: new Random(seed) })),
    );
    expect(facing.filter(Boolean).length).toBeGreaterThan(10);
    expect(facing.filter(Boolean).length).toBeLessThan(30);
    for (const pose of poses)
      expect(
        /scale\(-/.test(birdScene({ subject: "landbird", place: "land", pose, random: new Random(1) })),
      ).toBe(pose === "left");
  });
});

describe("writeBirds", () => {
  const small = { train: 70, validation: 8, seed: 3 };

  it("writes an image folder that opens, with its parameters", async () => {
    const out = join(parent, "birds");
    const seen: number[] = [];
    await writeBirds(out, { ...small, onProgress: (done) => seen.push(done) });
    expect(seen.at(-1)).toBe(78);
    expect(openImageFolder(out).items).toHaveLength(70);
    const validation = openImageFolder(out, { split: "validation" });
    expect(validation.items).toHaveLength(8);
    const { width, height, channels, format } = await sharp(validation.items[0]!.file).metadata();
    expect({ width, height, channels, format }).toEqual({
      width: 64,
      height: 64,
      channels: 3,
      format: "png",
    });
    const rows = readFileSync(join(out, "validation", "metadata.jsonl"), "utf8")
      .trim()
      .split("\n");
    expect(Object.values(count(rows.map((row) => JSON.parse(row) as BirdRow)))).toEqual([2, 2, 2, 2]);
    expect(JSON.parse(readFileSync(join(out, "birds.json"), "utf8"))).toMatchObject({
      ...small,
      balance: 0.9,
      size: 64,
    });
    expect(readdirSync(parent)).toEqual(["birds"]);
  });

  it("draws a picture from seed, split, number and kind alone", async () => {
    await writeBirds(join(parent, "one"), small);
    await writeBirds(join(parent, "two"), { ...small, validation: 4 });
    await writeBirds(join(parent, "three"), { ...small, train: 90 });
    const png = (name: string, i: number): Buffer =>
      readFileSync(join(parent, name, "train", `${String(i).padStart(5, "0")}.png`));
    for (let i = 0; i < 70; i++) expect(png("two", i).equals(png("one", i))).toBe(true);
    const kinds = (train: number): string[] =>
      birdRows("train", train, 0.9, 3).map((row) => row.subject + row.place);
    const [of70, of90] = [kinds(70), kinds(90)];
    const same = of70.flatMap((kind, i) => (kind === of90[i] ? [i] : []));
    expect(same.length).toBeGreaterThan(10);
    for (const i of same) expect(png("three", i).equals(png("one", i))).toBe(true);
  });

  it("writes a column for the pose, even in validation, only when asked for", async () => {
    const rows = (name: string, split: string): BirdRow[] =>
      readFileSync(join(parent, name, split, "metadata.jsonl"), "utf8")
        .trim()
        .split("\n")
        .map((row) => JSON.parse(row) as BirdRow);
    await writeBirds(join(parent, "posed"), { ...small, validation: 16, poseBalance: 0.8 });
    await writeBirds(join(parent, "plain"), small);
    expect(rows("plain", "train").some((row) => "pose" in row)).toBe(false);
    expect(readFileSync(join(parent, "plain", "birds.json"), "utf8")).not.toContain("pose");
    const cells = new Map<string, number>();
    for (const { subject, place, pose } of rows("posed", "validation"))
      cells.set(subject + place + pose, (cells.get(subject + place + pose) ?? 0) + 1);
    expect([...cells.values()]).toEqual(new Array(8).fill(2));
    expect(readFileSync(join(parent, "posed", "birds.json"), "utf8")).toContain('"poseBalance": 0.8');
  });

  it("leaves an existing folder alone unless forced, and then only Birds", async () => {
    const out = join(parent, "birds");
    await writeBirds(out, { train: 4, validation: 0 });
    await expect(writeBirds(out, { train: 6, validation: 0 })).rejects.toThrow(/exists already/);
    await writeBirds(out, { train: 6, validation: 0, force: true });
    expect(openImageFolder(out).items).toHaveLength(6);
    const mine = join(parent, "mine");
    mkdirSync(mine);
    writeFileSync(join(mine, "thesis.txt"), "years of work");
    await expect(writeBirds(mine, { train: 4, validation: 0, force: true })).rejects.toThrow(
      /is not a Birds folder/,
    );
    expect(existsSync(join(mine, "thesis.txt"))).toBe(true);
    expect(readdirSync(parent).sort()).toEqual(["birds", "mine"]);
  });

  it("leaves nothing behind when aborted", async () => {
    const stop = new AbortController();
    const onProgress = (): void => stop.abort(new Error("enough"));
    const birds = writeBirds(join(parent, "birds"), {
      train: 400,
      validation: 0,
      onProgress,
      signal: stop.signal,
    });
    await expect(birds).rejects.toThrow("enough");
    expect(readdirSync(parent)).toEqual([]);
  });

  it("says where it cannot write", async () => {
    writeFileSync(join(parent, "file"), "");
    const birds = writeBirds(join(parent, "file", "birds"), { train: 4, validation: 0 });
    await expect(birds).rejects.toThrow(/Birds cannot be written to .*file.birds: ENOTDIR/);
  });

  it("refuses impossible numbers", async () => {
    for (const options of [
      { balance: 1.2 },
      { balance: Number.NaN },
      { poseBalance: -0.1 },
      { train: -1 },
      { train: 1.5 },
      { size: 4 },
    ])
      await expect(writeBirds(join(parent, "birds"), options)).rejects.toThrow(DataError);
  });
});
