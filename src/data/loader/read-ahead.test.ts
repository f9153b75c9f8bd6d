import { describe, expect, it } from "vitest";
import { readAhead } from "./read-ahead.ts";

interface Thing extends Disposable {
  readonly number: number;
}

/** Things whose making and releasing is written down; number `bad` cannot be made. */
function maker(bad = -1) {
  const log: string[] = [];
  const make = async (number: number, signal: AbortSignal): Promise<Thing> => {
    log.push(`begin ${number}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
    if (number === bad) throw new Error(`no ${number}`);
    if (signal.aborted) log.push(`aborted ${number}`);
    return { number, [Symbol.dispose]: () => log.push(`release ${number}`) };
  };
  return { log, make };
}

describe("readAhead", () => {
  it("gives everything in order and begins no more than it may", async () => {
    const { log, make } = maker();
    const got: number[] = [];
    for await (using thing of readAhead(5, { ahead: 2 }, make)) {
      got.push(thing.number);
      const begun = log.filter((line) => line.startsWith("begin")).length;
      expect(begun).toBe(Math.min(thing.number + 3, 5));
    }
    expect(got).toEqual([0, 1, 2, 3, 4]);
    expect(log.filter((line) => line.startsWith("release"))).toHaveLength(5);
    expect(log.some((line) => line.startsWith("aborted"))).toBe(false);
  });

  it("begins nothing ahead when told so, and is empty for nothing", async () => {
    const { log, make } = maker();
    for await (using thing of readAhead(2, { ahead: 0 }, make))
      expect(log.at(-1)).toBe(`begin ${thing.number}`);
    for await (const _ of readAhead(0, { ahead: 3 }, make)) expect.unreachable();
  });

  it("tells an error in its turn and releases what was made after it", async () => {
    const { log, make } = maker(1);
    const got: number[] = [];
    const all = async () => {
      for await (using thing of readAhead(6, { ahead: 2 }, make)) got.push(thing.number);
    };
    await expect(all()).rejects.toThrow("no 1");
    expect(got).toEqual([0]);
    expect(log.filter((line) => line.startsWith("release"))).toEqual(["release 0", "release 2", "release 3"]);
    expect(log).not.toContain("begin 4");
  });

  it("aborts, awaits and releases what was begun when the loop is left", async () => {
    const { log, make } = maker();
    for await (using thing of readAhead(9, { ahead: 2 }, make)) if (thing.number === 1) break;
    expect(log.filter((line) => line.startsWith("release"))).toEqual([0, 1, 2, 3].map((i) => `release ${i}`));
    expect(log).toContain("aborted 3");
    expect(log).not.toContain("begin 4");
  });
});
