// All trackers together, their failures, and run.json.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { describeRun, openTrackers, readRun } from "./index.ts";
import { redact, redactText } from "./redact.ts";
import { tolerant } from "./tolerant.ts";
import type { Tracker } from "./tracker.ts";

const folder = (): string => mkdtempSync(join(tmpdir(), "invdiff-trackers-"));
const run = {
  name: "test",
  config: { tracking: { mlflowUrl: "http://ann:secret@host:5000/path", list: ["https://bob@host"] } },
};
const everyText = (dir: string): string =>
  readdirSync(dir)
    .map((name) => readFileSync(join(dir, name), "latin1"))
    .join("\n");

describe("openTrackers", () => {
  it("tells all of them, and writes no password anywhere", async () => {
    const dir = folder();
    const warnings: string[] = [];
    const mlflow = { url: "http://ann:secret@127.0.0.1:9/", experiment: "e" };
    const onWarning = (warning: string) => warnings.push(warning);
    const tracker = await openTrackers(dir, { tensorboard: true, mlflow, resumeStep: 0, run, onWarning });
    tracker.scalars(1, { loss: 0.5 });
    tracker.histogram(1, "losses", [1, 2]);
    tracker.text(1, "note", "seen");
    await tracker.flush();
    await tracker.close();
    expect(readFileSync(join(dir, "metrics.jsonl"), "utf8")).toBe('{"step":1,"loss":0.5}\n');
    const texts = everyText(dir);
    expect(texts).toContain("seen");
    expect(texts).toContain("http://host:5000/path");
    expect(texts + warnings.join()).not.toMatch(/secret|ann:|bob/);
    expect(warnings).toHaveLength(1);
  });

  it("goes on without TensorBoard where its file cannot be made", async () => {
    const dir = folder();
    const warnings: string[] = [];
    const onWarning = (warning: string) => warnings.push(warning);
    const tracker = await openTrackers(dir, { tensorboard: true, resumeStep: 0, run, onWarning });
    // A picture that is none: the failure of one tracker.
    tracker.images(1, "x", [Buffer.from("no picture")]);
    tracker.images(2, "x", [Buffer.from("no picture")]);
    tracker.scalars(2, { loss: 1 });
    await tracker.close();
    expect(warnings).toEqual([
      "TensorBoard is not written any more: An image to be logged is no PNG file (10 bytes). The training goes on without it.",
    ]);
    expect(readFileSync(join(dir, "metrics.jsonl"), "utf8")).toBe('{"step":2,"loss":1}\n');
  });

  it("throws when metrics.jsonl cannot be written", async () => {
    const dir = folder();
    mkdirSync(join(dir, "metrics.jsonl"));
    await expect(openTrackers(dir, { tensorboard: false, resumeStep: 0, run })).rejects.toThrow(/EISDIR/);
  });
});

describe("tolerant", () => {
  it("warns once, whichever method fails first, also when opening fails", async () => {
    const told: string[] = [];
    const warn = (message: string) => told.push(message);
    const broken = (method: keyof Tracker): Tracker => {
      const target = { async flush() {}, async close() {}, scalars() {} } as Partial<Tracker> as Tracker;
      const fail = () => {
        throw new Error("disk full.");
      };
      const failLater = async () => fail();
      return { ...target, [method]: method === "flush" || method === "close" ? failLater : fail };
    };
    for (const method of ["scalars", "flush", "close"] as const) {
      const tracker = tolerant(method, () => broken(method), warn);
      tracker.scalars(1, {});
      await Promise.all([tracker.flush(), tracker.flush()]);
      await tracker.close();
    }
    const fails = () => {
      throw new Error("no folder.");
    };
    const tracker = tolerant("opening", fails, warn);
    tracker.scalars(1, {});
    await tracker.close();
    expect(told.map((message) => message.slice(0, message.indexOf(".", 40) + 1))).toEqual([
      "scalars is not written any more: disk full.",
      "flush is not written any more: disk full.",
      "close is not written any more: disk full.",
      "opening is not written any more: no folder.",
    ]);
  });
});

describe("redact", () => {
  it("takes user names and passwords out of addresses, and nothing else", () => {
    expect(redactText("at http://u:p@h:1/x?mail=a@b, https://t@h and a@b.c; http://h/a@b")).toBe(
      "at http://h:1/x?mail=a@b, https://h and a@b.c; http://h/a@b",
    );
    expect(redactText("http://u:p@ss@host/")).toBe("http://host/");
    expect(redact({ a: ["x://u:p@h", 1, null, { b: true }] })).toEqual({
      a: ["x://h", 1, null, { b: true }],
    });
  });
});

describe("run.json", () => {
  const facts = {
    stage: "base",
    command: "invdiff finetune --set tracking.mlflowUrl=http://ann:secret@host",
    config: run.config,
    models: { unet: { total: 10, trainable: 4 } },
    data: { images: 20 },
    steps: 12,
  };

  it("says what a run is, how it stands, and when it was resumed", () => {
    const dir = folder();
    const first = describeRun(dir, { ...facts, versions: { libtorch: "2.13" } });
    const started = readRun(dir)!;
    expect(started).toMatchObject({
      ...{ format: "invdiff-run", stage: "base", status: "running", lastStep: 0, steps: 12, resumed: [] },
      ...{
        models: facts.models,
        data: facts.data,
        versions: { node: process.versions.node, libtorch: "2.13" },
      },
    });
    first.update({ status: "interrupted", reason: "Stopped by Ctrl-C.", lastStep: 5 });
    expect(readRun(dir)).toMatchObject({ status: "interrupted", reason: "Stopped by Ctrl-C.", lastStep: 5 });
    const second = describeRun(dir, { ...facts, resumeStep: 5 });
    const resumed = readRun(dir)!;
    expect(resumed).toMatchObject({ status: "running", lastStep: 5, startedAt: started.startedAt });
    expect(resumed.resumed).toEqual([{ at: expect.any(String), afterStep: 5 }]);
    expect(resumed.reason).toBeUndefined();
    second.update({ status: "finished", lastStep: 12 });
    expect(readRun(dir)).toMatchObject({ status: "finished", lastStep: 12 });
    expect(readFileSync(join(dir, "run.json"), "utf8")).not.toMatch(/secret|ann/);
    expect(readdirSync(dir)).toEqual(["run.json"]);
  });

  it("is read as nothing when it is broken or another's", () => {
    const dir = folder();
    expect(readRun(dir)).toBeUndefined();
    for (const text of ['{"format":"invdiff-run"', "null", '{"format":"other"}']) {
      writeFileSync(join(dir, "run.json"), text);
      expect(readRun(dir)).toBeUndefined();
    }
    expect(existsSync(describeRun(dir, { ...facts, resumeStep: 3 }).path)).toBe(true);
  });
});
