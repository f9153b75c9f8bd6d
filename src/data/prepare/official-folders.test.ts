// The generated folders that other tests learn from: the same for the same options, and their pictures show what they are labelled.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, expect, it } from "vitest";
import { makeCeleba, makeFairface, makeWaterbirds } from "../../../test/official-folders.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "folders-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Mean red, green and blue of a part of a 32 x 32 picture. */
async function meanColour(file: string, left: number, top: number, width: number, height: number) {
  const part = await sharp(file).extract({ left, top, width, height }).toBuffer();
  const { channels } = await sharp(part).stats();
  return channels.map(({ mean }) => mean);
}

const makers = { makeWaterbirds, makeCeleba, makeFairface };
it.each(Object.keys(makers) as (keyof typeof makers)[])(
  "%s gives the same bytes for the same seed",
  async (name) => {
    const make = async (at: string, seed: number): Promise<Map<string, string>> => {
      const counts = new Array<number>(name === "makeFairface" ? 8 : 4).fill(2);
      await makers[name](join(folder, at), { size: 16, seed, counts: { train: counts, validation: counts } });
      const files = readdirSync(join(folder, at), { recursive: true, withFileTypes: true });
      return new Map(
        files
          .filter((entry) => entry.isFile())
          .map(({ parentPath, name: file }) => join(parentPath, file))
          .map((file) => [file.slice(join(folder, at).length), readFileSync(file, "base64")]),
      );
    };
    const one = await make("a", 1);
    expect(one.size).toBeGreaterThan(16);
    expect(await make("b", 1)).toEqual(one);
    expect(await make("c", 2)).not.toEqual(one);
  },
);

it("CelebA's pictures show hair by the colour on top and gender by the side of the figure", async () => {
  const none = [0, 0, 0, 0];
  const counts = { train: [6, 6, 6, 6], validation: none, test: none };
  for (const { file, cell } of await makeCeleba(folder, { size: 32, counts })) {
    const [red] = await meanColour(file, 0, 0, 32, 6);
    expect(red! > 180).toBe(cell < 2);
    // The figure is the only warm colour below the band.
    const warmth = async (left: number): Promise<number> => {
      const [r, , b] = await meanColour(file, left, 8, 12, 24);
      return r! - b!;
    };
    expect((await warmth(0)) > (await warmth(20))).toBe(cell % 2 === 0);
  }
});

it("FairFace's pictures show the race group by colour, Waterbirds' the place", async () => {
  const train = new Array<number>(8).fill(3);
  const colours = new Map<number, string>();
  for (const { file, cell } of await makeFairface(folder, { size: 32, counts: { train, validation: [] } })) {
    const [r, g, b] = await meanColour(file, 0, 0, 32, 6);
    // Which channels are high tells the four apart.
    const key = [r, g, b].map((value) => (value! > 130 ? 1 : 0)).join("");
    expect(colours.get(cell % 4) ?? key).toBe(key);
    colours.set(cell % 4, key);
  }
  expect(new Set(colours.values()).size).toBe(4);
  const counts = { train: [4, 4, 4, 4], validation: [], test: [] };
  const birds = await makeWaterbirds(join(folder, "birds"), { size: 32, counts });
  for (const { file, cell } of birds) {
    const [, g, b] = await meanColour(file, 0, 14, 32, 18);
    expect(b! - g! > -10).toBe(cell % 2 === 1);
  }
});
