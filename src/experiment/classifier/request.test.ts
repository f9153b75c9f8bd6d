import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { trainClassifierRequest } from "./request.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "classifier-request-"));
  vi.stubEnv("INVDIFF_NETWORKS", root);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});

const initOf = (init: string) =>
  trainClassifierRequest({ data: "set", column: "tone", out: "out", init }).init;

describe("the weights to start from", () => {
  it("are a file, or the downloaded network of a name", () => {
    expect(initOf("weights.pth")).toBe("weights.pth");
    expect(() => initOf("resnet18")).toThrow(
      "There is no file resnet18, and the network of this name is not on this machine. Get it: invdiff download network resnet18",
    );
    const file = join(root, "resnet18-f37072fd.pth");
    writeFileSync(file, "");
    expect(initOf("resnet18")).toBe(file);
  });
});
