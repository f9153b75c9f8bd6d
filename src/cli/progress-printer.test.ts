import { describe, expect, it } from "vitest";
import { ProgressPrinter } from "./progress-printer.ts";
import { durationText, table } from "./text.ts";

/** A stream that is no terminal, and a clock set by hand. */
function setUp() {
  let now = 0;
  const lines: string[] = [];
  const stream = { isTTY: false, write: (text: string) => lines.push(text) } as unknown as NodeJS.WriteStream;
  const printer = new ProgressPrinter({ stream, now: () => now });
  const at = (seconds: number, done: number, total = 1000, task = "training") => {
    now = seconds * 1000;
    printer.show({ stage: "base", task, done, total, values: { loss: 0.123456 } });
  };
  return { lines, at, printer };
}

describe("progress without a terminal", () => {
  it("is a line every five seconds", () => {
    const { lines, at } = setUp();
    for (let second = 0; second <= 11; second++) at(second, second * 2);
    expect(lines).toEqual([
      "base: training 0/1,000  loss 0.1235\n",
      "base: training 10/1,000  2.0 it/s, 8 min 15 s left, loss 0.1235\n",
      "base: training 20/1,000  2.0 it/s, 8 min 10 s left, loss 0.1235\n",
    ]);
  });

  it("is a line every tenth of the work, and the end is always told", () => {
    const { lines, at } = setUp();
    for (const [second, done] of [
      [0, 0],
      [0.5, 500],
      [1.5, 600],
      [2, 650],
      [2.1, 1000],
      [2.2, 1000],
    ] as const)
      at(second, done);
    expect(lines.map((line) => line.split(" ")[2])).toEqual(["0/1,000", "600/1,000", "1,000/1,000"]);
  });

  it("does not count resumed work for the rate, and starts anew with a new task", () => {
    const { lines, at } = setUp();
    at(0, 900);
    at(10, 950);
    at(11, 0, 10, "saving");
    expect(lines[1]).toBe("base: training 950/1,000  5.0 it/s, 10 s left, loss 0.1235\n");
    expect(lines[2]).toBe("base: saving 0/10  loss 0.1235\n");
  });
});

describe("text", () => {
  it.each([
    [0.4, "0 s"],
    [61, "1 min 1 s"],
    [7500, "2 h 5 min"],
  ])("%d seconds are %s", (seconds, text) => {
    expect(durationText(seconds)).toBe(text);
  });

  it("aligns the columns of a table", () => {
    expect(
      table([
        ["a", "to do", "x"],
        ["long", "b", ""],
      ]),
    ).toBe("  a     to do  x\n  long  b");
  });
});
