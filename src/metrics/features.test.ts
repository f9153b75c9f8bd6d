// Golden values of metrics.json (test/golden/README.md) for the metrics of feature matrices.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { settledTensorCount } from "../../test/settled.ts";
import { golden } from "../../test/golden-dir.ts";
import { randn, tensor, tensorCount, Generator } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";
import { frechetDistance } from "./fid.ts";
import { improvedPrecisionRecall } from "./precision-recall.ts";

interface FeatureGolden {
  k: number;
  fid: number;
  precision: number;
  recall: number;
}

const file = readFileSync(golden("metrics.safetensors"));
const headerLength = Number(file.readBigUInt64LE(0));
const header = JSON.parse(file.subarray(8, 8 + headerLength).toString()) as Record<
  string,
  { shape: number[]; data_offsets: [number, number] }
>;

function read(name: string): Tensor {
  const { shape, data_offsets } = header[name]!;
  const bytes = file.subarray(8 + headerLength + data_offsets[0], 8 + headerLength + data_offsets[1]);
  return tensor(new Float32Array(new Uint8Array(bytes).buffer), { shape });
}

const goldens = JSON.parse(readFileSync(golden("metrics.json"), "utf8")) as Record<string, FeatureGolden>;

describe.each(Object.keys(goldens).filter((key) => key !== "bias"))("feature metrics, case %s", (key) => {
  const entry = goldens[key]!;

  it("has the golden Frechet distance", () => {
    const distance = frechetDistance(read(`${key}.real`), read(`${key}.fake`));
    expect(Math.abs(distance / entry.fid - 1)).toBeLessThan(1e-4);
  });

  it("has the golden precision and recall", () => {
    const found = improvedPrecisionRecall(read(`${key}.real`), read(`${key}.fake`), { neighbours: entry.k });
    expect(Math.abs(found.precision - entry.precision)).toBeLessThan(1e-6);
    expect(Math.abs(found.recall - entry.recall)).toBeLessThan(1e-6);
  });
});

describe("frechetDistance", () => {
  it("is 0 for equal features, also with singular covariances, and |shift|^2 for shifted ones", () => {
    const x = randn([20, 64], { generator: new Generator().manualSeed(0) });
    expect(Math.abs(frechetDistance(x, x))).toBeLessThan(1e-5);
    expect(frechetDistance(x, x.add(0.5))).toBeCloseTo(64 * 0.25, 4);
  });

  it("leaves no tensor behind and refuses misfits", () => {
    const x = randn([10, 4]);
    const before = settledTensorCount();
    frechetDistance(x, x);
    improvedPrecisionRecall(x, x);
    expect(tensorCount()).toBe(before);
    expect(() => frechetDistance(x, randn([10, 5]))).toThrow("expected [N, D] and [M, D]");
    expect(() => improvedPrecisionRecall(x, x, { neighbours: 10 })).toThrow("10 neighbours among 10 images");
  });
});
