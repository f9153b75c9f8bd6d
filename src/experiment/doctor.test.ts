import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../torch/errors.ts";
import { doctor, type DoctorReport } from "./doctor.ts";
import { countCores } from "./threads.ts";

const fact = (report: DoctorReport, name: string) => report.facts.find((item) => item.name === name);
let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "invdiff-doctor-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("doctor", () => {
  it("finds this machine ready", async () => {
    const report = await doctor();
    expect(report.healthy).toBe(true);
    expect(fact(report, "native addon")?.status).toBe("ok");
    expect(fact(report, "threads")?.value).toMatch(/^\d+ of \d+ physical cores/);
  });

  it("gives advice when nothing is set up", async () => {
    const loadTorch = () => Promise.reject(new UserError("The native addon is not built."));
    const report = await doctor({ root, loadTorch });
    expect(report.healthy).toBe(false);
    expect(fact(report, "libtorch")).toMatchObject({ status: "problem", advice: "Run: npm run setup" });
    expect(fact(report, "native addon")?.value).toContain("The native addon is not built.");
    expect(fact(report, "memory")?.value).toMatch(/free of/);
  });

  it("says when libtorch has gone, and why a CUDA build finds no device", async () => {
    mkdirSync(join(root, "build"));
    const libtorch = { path: join(root, "gone"), version: "2.13.0", cuda: "12.8", source: "LIBTORCH" };
    writeFileSync(join(root, "build", "setup.json"), JSON.stringify({ libtorch, addon: "x" }));
    const report = await doctor({ root, loadTorch: () => Promise.reject(new Error("libc10.so: not found")) });
    expect(fact(report, "libtorch")?.value).toContain("no longer there");
    expect(fact(report, "CUDA devices")?.value).toContain("libtorch is built for CUDA, but");
  });
});

describe("countCores", () => {
  it("counts hardware threads of one core once", () => {
    const block = (socket: number, core: number) => `physical id\t: ${socket}\ncore id\t\t: ${core}\n`;
    expect(countCores([block(0, 0), block(0, 1), block(0, 0), block(1, 0)].join("\n"))).toBe(3);
    expect(countCores("processor : 0\n")).toBeUndefined();
  });
});
