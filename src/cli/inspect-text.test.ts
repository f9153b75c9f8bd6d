import { describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { inspectPath, type Inspection } from "../checkpoint/inspect/index.ts";
import { inspectionText } from "./inspect-text.ts";

describe("an inspection as text", () => {
  it("lists every tensor of a single file", () => {
    const path = golden("reference-files/model.pth");
    const text = inspectionText(inspectPath(path), { keys: false });
    expect(text.split("\n")[0]).toMatch(
      /model\.pth {2}pickle \(zip, protocol 2\), 4 tensors, 36 float32, 1 int64, 3 float16/,
    );
    expect(text).toMatch(/ {2}fc\.weight +float32 +\[4, 8\] +128 B/);
  });

  it("counts those of a folder, and lists them when asked", () => {
    const found = inspectPath(golden("tiny-sd2"));
    expect(inspectionText(found, { keys: false })).not.toContain("conv_in.weight");
    expect(inspectionText(found, { keys: true })).toMatch(/conv_in\.weight +float32 +\[16, 4, 3, 3\]/);
  });

  it("shows what would steer a terminal as an escape, and cuts what is long", () => {
    const found: Inspection = {
      kind: "safetensors",
      path: "x.safetensors",
      fileBytes: 10,
      metadata: { "a\u001b[2J": "b".repeat(500) },
      tensors: [{ name: "w\n\u202e", dtype: "float32", shape: [1], bytes: 4 }],
    };
    const text = inspectionText(found, { keys: false });
    expect(text).toContain(String.raw`metadata a\u001b[2J: bbbb`);
    expect(text).toMatch(/b{97}\.\.\.\n/);
    expect(text).toContain(String.raw`w\u000a\u202e`);
    expect(text.split("\n")).toHaveLength(3);
    expect(text).not.toMatch(/[\u001b\u202e]/);
  });
});
