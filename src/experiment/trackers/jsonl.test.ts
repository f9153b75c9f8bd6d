// metrics.jsonl: one line per step, the same bytes after any interruption.
import { appendFileSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openJsonl } from "./jsonl.ts";
import { cutStepLines, stepLine } from "./step-lines.ts";

const folder = (): string => mkdtempSync(join(tmpdir(), "invdiff-metrics-"));
const read = (dir: string, name = "metrics.jsonl"): string => readFileSync(join(dir, name), "utf8");

/** Steps first+1..last as a training tells them; every third one is also validated. */
async function train(dir: string, first: number, last: number, { flush = true } = {}): Promise<void> {
  const tracker = openJsonl(dir, { resumeStep: first });
  for (let step = first + 1; step <= last; step++) {
    tracker.scalars(step, { loss: 1 / step, "groupLoss/1": 0.25, "groupLoss/0": step });
    if (step % 3 === 0) tracker.scalars(step, { validationLoss: step / 7 });
    if (step % 2 === 0 && flush) await tracker.flush();
  }
  if (flush) await tracker.close();
}

describe("metrics.jsonl", () => {
  it("holds one line per step with sorted names, and no times", async () => {
    const dir = folder();
    await train(dir, 0, 3);
    expect(read(dir)).toBe(
      '{"step":1,"groupLoss/0":1,"groupLoss/1":0.25,"loss":1}\n' +
        '{"step":2,"groupLoss/0":2,"groupLoss/1":0.25,"loss":0.5}\n' +
        `{"step":3,"groupLoss/0":3,"groupLoss/1":0.25,"loss":${1 / 3},"validationLoss":${3 / 7}}\n`,
    );
  });

  it("has the bytes of an uninterrupted run after any interruptions, wherever the last line was torn", async () => {
    const whole = folder();
    await train(whole, 0, 12);
    const stops = fc.array(
      fc.record({ back: fc.nat(3), on: fc.integer({ min: 1, max: 5 }), torn: fc.string({ maxLength: 30 }) }),
      { maxLength: 4 },
    );
    await fc.assert(
      fc.asyncProperty(stops, fc.boolean(), async (list, flush) => {
        const dir = folder();
        let reached = 0;
        for (const { back, on, torn } of list) {
          // The checkpoint may be older than the metrics: a crash comes after a flush and before the next save.
          const from = Math.max(0, reached - back);
          reached = Math.min(12, from + on);
          await train(dir, from, reached);
          appendFileSync(join(dir, "metrics.jsonl"), `{"step":${reached + 1},"${torn.replaceAll("\n", "")}`);
          if (!flush) await train(dir, reached, Math.min(12, reached + 2), { flush: false });
        }
        await train(dir, reached, 12);
        expect(read(dir)).toBe(read(whole));
      }),
      { seed: 5, numRuns: 15 },
    );
  });

  it("starts anew from step 0", async () => {
    const dir = folder();
    writeFileSync(join(dir, "metrics.jsonl"), '{"step":0,"loss":9}\n{"step":1,"loss":9}\n');
    await train(dir, 0, 1);
    expect(read(dir)).toBe('{"step":1,"groupLoss/0":1,"groupLoss/1":0.25,"loss":1}\n');
  });

  it("is not rewritten when nothing has to go", () => {
    const path = join(folder(), "metrics.jsonl");
    writeFileSync(path, '{"step":1,"loss":2}\n{"step":2,"loss":1}\n');
    const before = statSync(path).ino;
    cutStepLines(path, 2);
    expect(statSync(path).ino).toBe(before);
    cutStepLines(path, 1);
    expect(readFileSync(path, "utf8")).toBe('{"step":1,"loss":2}\n');
    expect(statSync(path).ino).not.toBe(before);
  });

  it("writes numbers that JSON lacks as texts", () => {
    const values = { loss: NaN, gradNorm: Infinity, low: -Infinity, tiny: 5e-324, step: 3 };
    expect(stepLine(4, new Map(Object.entries(values)))).toBe(
      '{"step":4,"gradNorm":"Infinity","loss":"NaN","low":"-Infinity","tiny":5e-324}\n',
    );
  });
});

describe("timing.jsonl", () => {
  it("tells the seconds of each step, beside what the training measured", async () => {
    const dir = folder();
    let time = 100;
    const tracker = openJsonl(dir, { resumeStep: 4, now: () => time });
    for (const [step, seconds] of [
      [5, 2.5],
      [6, 0.5],
    ] as const) {
      time += seconds;
      tracker.scalars(step, { loss: 1 });
      tracker.timing(step, { imagesPerSecond: 8 * step });
    }
    await tracker.close();
    const lines = read(dir, "timing.jsonl").trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { step: 5, imagesPerSecond: 40, seconds: 2.5, time: expect.closeTo(Date.now() / 1000, -2) },
      { step: 6, imagesPerSecond: 48, seconds: 0.5, time: expect.closeTo(Date.now() / 1000, -2) },
    ]);
  });
});
