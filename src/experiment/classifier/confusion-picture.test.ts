import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { confusionPng, confusionSvg } from "./confusion-picture.ts";

const table = {
  title: 'a "title" & <more>',
  values: ["-1", "one value with a name that is far too long for its cell"],
  counts: [
    [1234, 66],
    [0, 0],
  ],
};

/** Every text of the drawing with its place. */
const textsOf = (svg: string): { text: string; x: number; y: number }[] =>
  Array.from(svg.matchAll(/<text x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</g), ([, x, y, text]) => ({
    text: text!,
    x: Number(x),
    y: Number(y),
  }));

describe("the picture of a confusion matrix", () => {
  it("names counts and shares of each true value in its row, and values without images", () => {
    const texts = textsOf(confusionSvg(table));
    const at = (text: string) => texts.find((found) => found.text === text)!;
    expect(at("1,234").y).toBe(at("66").y);
    expect(at("95 %").x).toBe(at("1,234").x);
    expect(at("5.1 %").x).toBe(at("66").x);
    expect(at("66").x).toBeGreaterThan(at("1,234").x);
    const empty = texts.filter(({ text }) => text === "-");
    expect(empty.map(({ x }) => x)).toEqual([at("1,234").x, at("66").x]);
    expect(empty[0]!.y).toBeGreaterThan(at("66").y);
  });

  it("writes names as text and shortens what no cell can hold", () => {
    const svg = confusionSvg(table);
    expect(svg).toContain("a &quot;title&quot; &amp; &lt;more&gt;");
    const lines = textsOf(svg).filter(({ text }) => text.endsWith("…"));
    expect(lines).toHaveLength(2); // once above, once at the side
    for (const { text } of textsOf(svg).slice(3, -1)) expect(text.length).toBeLessThanOrEqual(13);
  });

  it("shades right answers blue and mistakes orange, by their share", async () => {
    const half = {
      title: "t",
      values: ["a", "b"],
      counts: [
        [9, 1],
        [5, 5],
      ],
    };
    const { data, info } = await sharp(await confusionPng(half))
      .raw()
      .toBuffer({ resolveWithObject: true });
    const texts = textsOf(confusionSvg(half));
    const cell = (row: number, column: number) => {
      const { x, y } = texts.filter(({ text }) => /^\d$/.test(text))[2 * row + column]!;
      const [px, py] = [Math.round(2 * x) - 90, Math.round(2 * y) - 80];
      return [0, 1, 2].map((channel) => data[(py * info.width + px) * info.channels + channel]!);
    };
    const [right, rare, wrong] = [cell(0, 0), cell(0, 1), cell(1, 0)];
    expect(right[2]! - right[0]!).toBeGreaterThan(60);
    expect(wrong[0]! - wrong[2]!).toBeGreaterThan(40);
    expect(rare[0]! - rare[2]!).toBeLessThan(wrong[0]! - wrong[2]!);
  });
});
