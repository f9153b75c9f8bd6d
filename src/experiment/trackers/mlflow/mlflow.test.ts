// The MLflow tracker against a mock of the server: what arrives, and what a broken server costs (a warning).
import { mkdtempSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { openMlflow } from "./index.ts";

interface Metric {
  readonly key: string;
  readonly value: number;
  readonly step: number;
  readonly timestamp: number;
}

interface Body {
  readonly name?: string;
  readonly run_id?: string;
  readonly status?: string;
  readonly metrics?: readonly Metric[];
}

interface Call {
  readonly path: string;
  readonly body: Body;
  readonly authorization: string | undefined;
}

const opened: { close(): void }[] = [];
afterEach(() => opened.splice(0).forEach((server) => server.close()));

/** A server that knows experiments and runs; `before` may answer in its place. */
async function mockServer(before: (call: Call, response: ServerResponse) => boolean = () => false) {
  const calls: Call[] = [];
  const experiments = new Map<string, string>();
  const runs = new Set<string>();
  const answer = (call: Call, response: ServerResponse): void => {
    calls.push(call);
    if (before(call, response)) return;
    const send = (status: number, body: unknown) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    };
    const { pathname, searchParams } = new URL(call.path, "http://host");
    switch (pathname.replace("/api/2.0/mlflow/", "")) {
      case "experiments/get-by-name": {
        const id = experiments.get(searchParams.get("experiment_name")!);
        if (id === undefined) return send(404, { error_code: "RESOURCE_DOES_NOT_EXIST" });
        return send(200, { experiment: { experiment_id: id } });
      }
      case "experiments/create":
        experiments.set(call.body.name!, "7");
        return send(200, { experiment_id: "7" });
      case "runs/create":
        runs.add(`run${runs.size}`);
        return send(200, { run: { info: { run_id: `run${runs.size - 1}` } } });
      case "runs/log-batch":
      case "runs/update":
        return runs.has(call.body.run_id!) ? send(200, {}) : send(404, { error_code: "RESOURCE" });
      default:
        return send(404, {});
    }
  };
  const server = createServer((request: IncomingMessage, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    request.on("end", () => {
      const { authorization } = request.headers;
      answer({ path: request.url!, body: text === "" ? {} : JSON.parse(text), authorization }, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  opened.push({ close: stop });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, port, calls, runs, stop };
}

const folder = (): string => mkdtempSync(join(tmpdir(), "invdiff-mlflow-"));

function start(url: string, changes: Partial<Parameters<typeof openMlflow>[1]> = {}, dir = folder()) {
  const warnings: string[] = [];
  const run = {
    name: "birds base",
    config: { base: { learningRate: 0.5, betas: [0.9, 0.99] } },
    command: "x",
  };
  const options = { url, experiment: "birds", resumeStep: 0, run, ...changes };
  const tracker = openMlflow(dir, { ...options, onWarning: (warning) => warnings.push(warning) });
  return { tracker, warnings, dir };
}

const of = (calls: readonly Call[], name: string): Body[] =>
  calls.filter(({ path }) => path.includes(name)).map(({ body }) => body);
const metricsOf = (calls: readonly Call[]): Metric[] =>
  of(calls, "log-batch").flatMap((body) => body.metrics ?? []);

describe("the MLflow tracker", () => {
  it("makes experiment and run, logs parameters and metrics, and ends the run", async () => {
    const { url, calls } = await mockServer();
    const { tracker, warnings } = start(url);
    tracker.scalars(1, { loss: 0.25, "groupLoss/0": 2, "odd: name": 1, gradNorm: Infinity });
    tracker.timing(1, { seconds: 3 });
    await tracker.flush();
    tracker.scalars(2, { loss: 0.125 });
    await tracker.close("interrupted");
    expect(warnings).toEqual([]);
    expect(calls[0]!.path).toContain("get-by-name?experiment_name=birds");
    expect(of(calls, "runs/create")[0]).toMatchObject({
      ...{ experiment_id: "7", run_name: "birds base", tags: [{ key: "command", value: "x" }] },
    });
    expect(of(calls, "log-batch")[0]).toEqual({
      run_id: "run0",
      params: [
        { key: "base.learningRate", value: "0.5" },
        { key: "base.betas", value: "[0.9,0.99]" },
      ],
    });
    expect(metricsOf(calls).map(({ key, value, step }) => [key, value, step])).toEqual([
      ["loss", 0.25, 1],
      ["groupLoss/0", 2, 1],
      ["odd_ name", 1, 1],
      ["timing/seconds", 3, 1],
      ["loss", 0.125, 2],
    ]);
    expect(metricsOf(calls)[0]!.timestamp).toBeCloseTo(Date.now(), -5);
    expect(of(calls, "runs/update")).toEqual([
      { run_id: "run0", status: "KILLED", end_time: expect.any(Number) },
    ]);
  });

  it("sends at most 1000 metrics at once, each once and in order", async () => {
    const { url, calls } = await mockServer();
    const { tracker } = start(url);
    for (let step = 1; step <= 2500; step++) tracker.scalars(step, { loss: step });
    await tracker.close();
    const sizes = of(calls, "log-batch").map((body) => body.metrics?.length ?? 0);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1000);
    expect(metricsOf(calls).map(({ step }) => step)).toEqual(Array.from({ length: 2500 }, (_, i) => i + 1));
  });

  it("continues its run on resume, without sending parameters again", async () => {
    const { url, calls, runs } = await mockServer();
    const first = start(url);
    await first.tracker.close();
    const count = calls.length;
    const second = start(url, { resumeStep: 5 }, first.dir);
    second.tracker.scalars(6, { loss: 1 });
    await second.tracker.close();
    const later = calls.slice(count);
    expect(of(later, "runs/update").map((body) => body.status)).toEqual(["RUNNING", "FINISHED"]);
    expect([...runs, of(later, "runs/create"), of(later, "log-batch").length]).toEqual(["run0", [], 1]);
    // Deleted on the server: a new one.
    runs.clear();
    const third = start(url, { resumeStep: 6 }, first.dir);
    await third.tracker.close();
    expect(third.warnings).toEqual([]);
    expect(runs.size).toBe(1);
  });

  it("sends a password as a header and writes it nowhere", async () => {
    const { port, calls, stop } = await mockServer();
    const { tracker, dir } = start(`http://ann:s%40cret@127.0.0.1:${port}/`);
    await tracker.close();
    const header = `Basic ${Buffer.from("ann:s@cret").toString("base64")}`;
    expect(new Set(calls.map(({ authorization }) => authorization))).toEqual(new Set([header]));
    expect(readFileSync(join(dir, "mlflow.json"), "utf8")).not.toMatch(/ann|cret/);
    stop();
    const broken = start(`http://ann:s%40cret@127.0.0.1:${port}/`);
    await broken.tracker.close();
    expect(broken.warnings).toHaveLength(1);
    expect(broken.warnings[0]).not.toMatch(/ann|cret/);
    expect(() => start("ftp://ann:secret@host")).toThrow("ftp://host; expected one such as");
  });
});

describe("a server that is out of order", () => {
  const waits = { request: 200, flush: 100, close: 300, retry: 10_000 };

  it("is told once when it is down", async () => {
    const { url, stop } = await mockServer();
    stop();
    const { tracker, warnings } = start(url, { waits });
    for (let step = 1; step <= 3; step++) {
      tracker.scalars(step, { loss: 1 });
      await tracker.flush();
    }
    await tracker.close();
    expect(warnings).toEqual([
      expect.stringMatching(/^MLflow at http:.* is out of reach: .*ECONNREFUSED.*goes on/),
    ]);
  });

  it("is told once when it answers 500, with its answer", async () => {
    const { url, calls } = await mockServer((_, response) => {
      response.writeHead(500).end("out of disk");
      return true;
    });
    const { tracker, warnings } = start(url, { waits });
    for (let step = 1; step <= 1000; step++) tracker.scalars(step, { loss: 1 });
    await tracker.flush();
    await tracker.close();
    expect(warnings).toEqual([
      expect.stringMatching(
        /answered 500 to experiments\/get-by-name: out of disk.* The training goes on\.$/,
      ),
    ]);
    // The first try and that of close: not one per step.
    expect(calls).toHaveLength(2);
  });

  it("is waited for no longer than allowed when it never answers", async () => {
    const { url } = await mockServer(() => true);
    const { tracker, warnings } = start(url, { waits: { ...waits, request: 60_000 } });
    tracker.scalars(1, { loss: 1 });
    const order: string[] = [];
    const flushed = tracker.flush().then(() => order.push("flush"));
    await Promise.race([flushed, delay(20_000).then(() => order.push("late"))]);
    await Promise.race([tracker.close(), delay(20_000).then(() => order.push("late"))]);
    expect(order).toEqual(["flush"]);
    await delay(20);
    expect(warnings).toEqual([expect.stringContaining("ended before the server answered")]);
  });

  it("gets everything once it is back", async () => {
    let broken = true;
    const { url, calls } = await mockServer((_, response) => {
      if (broken) response.writeHead(503).end();
      return broken;
    });
    const { tracker, warnings } = start(url, {
      waits: { ...waits, close: 10_000, request: 10_000, retry: 0 },
    });
    tracker.scalars(1, { loss: 4 });
    await tracker.flush();
    broken = false;
    tracker.scalars(2, { loss: 5 });
    await tracker.close();
    expect(warnings).toHaveLength(1);
    expect(metricsOf(calls).map(({ value }) => value)).toEqual([4, 5]);
    expect(of(calls, "runs/update")[0]).toMatchObject({ status: "FINISHED" });
  });
});
