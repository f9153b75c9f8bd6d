// A worker that dies, hangs or never starts costs its case and no other.
import { describe, expect, it } from "vitest";
import { benchmarkCases } from "../../bench/gpu/cases.ts";
import { workerProcess } from "../../bench/gpu/worker-process.ts";

const [one] = benchmarkCases("tiny", { graphs: true }).filter(({ name }) => name === "train batch 1");

const worker = (script: string, limitSeconds = 20) =>
  workerProcess({
    command: [process.execPath, "-e", script],
    waysOf: ({ ways }) => ways,
    limitSeconds,
  });

/** Answers every case but those of the batch sizes that it cannot stand. */
const SCRIPT = `
  console.log(JSON.stringify({ torch: "9.9", cuda: null, cudnn: null, device: "cpu" }));
  require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
    const { batch } = JSON.parse(line);
    if (batch === 13) { console.error("a very bad batch"); process.exit(7); }
    if (batch === 14) return;
    console.log(JSON.stringify({ results: [{ variant: "plain", row: "", milliseconds: [batch, process.pid] }] }));
  });`;

const pidOf = (results: readonly unknown[]): number =>
  (results[0] as { milliseconds: [number, number] }).milliseconds[1];

describe("a worker", () => {
  it("is one process for all cases", async () => {
    const own = worker(SCRIPT);
    expect((await own.start()).torch).toBe("9.9");
    const [a, b] = [await own.ask(one!), await own.ask({ ...one!, batch: 5 } as typeof one & object)];
    expect(a).toMatchObject([{ milliseconds: [1, pidOf(a)] }]);
    expect(b).toMatchObject([{ milliseconds: [5, pidOf(a)] }]);
    await own.end();
    await own.end();
  });

  it("that dies is replaced; every way of its case says why", async () => {
    const own = worker(SCRIPT);
    const before = await own.ask(one!);
    const died = await own.ask({ ...one!, batch: 13 } as typeof one & object);
    const error = "the worker ended with exit code 7: a very bad batch";
    expect(died).toEqual([
      { variant: "plain", error },
      { variant: "graph", error },
    ]);
    const after = await own.ask(one!);
    expect(pidOf(after)).not.toBe(pidOf(before));
    await own.end();
  });

  it("that gives no answer in time is ended and replaced", async () => {
    const own = worker(SCRIPT, 1);
    expect(await own.ask({ ...one!, batch: 14 } as typeof one & object)).toMatchObject([
      { error: "no answer within 1 s" },
      { error: "no answer within 1 s" },
    ]);
    expect(await own.ask(one!)).toMatchObject([{ variant: "plain" }]);
    await own.end();
  });

  it("that cannot start says so", async () => {
    await expect(worker("console.error('no such device'); process.exit(2)").start()).rejects.toThrow(
      "the worker ended with exit code 2: no such device",
    );
    const missing = workerProcess({
      command: ["/no/such/program"],
      waysOf: () => ["eager"],
      limitSeconds: 5,
    });
    await expect(missing.start()).rejects.toThrow(/\/no\/such\/program cannot be run/);
  });
});
