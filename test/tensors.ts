// Comparing tensors with golden files.
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { readSafetensors } from "../src/checkpoint/index.ts";
import { buildFromTensors, type Module, type ParamStore } from "../src/nn/index.ts";
import { type DType, scope, type Tensor } from "../src/torch/index.ts";

/** |actual - expected| / |expected| in the 2-norm. */
export function relativeError(actual: Tensor, expected: Tensor): number {
  expect([...actual.shape]).toEqual([...expected.shape]);
  const [a, b] = [actual.toNumbers(), expected.toNumbers()];
  const norm = (values: number[]) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return norm(a.map((value, i) => value - b[i]!)) / (norm(b) || 1);
}

export const nnGoldenPath = fileURLToPath(new URL("golden/nn.safetensors", import.meta.url));

/** The tensors of golden/nn.safetensors (tools/golden/nn.py) below `prefix`, without it. */
export function nnGolden(prefix: string): Map<string, Tensor> {
  const found = new Map<string, Tensor>();
  for (const [key, value] of readSafetensors(nnGoldenPath)) {
    if (key.startsWith(`${prefix}.`)) found.set(key.slice(prefix.length + 1), value);
    else value.dispose();
  }
  return found;
}

/** Asserts that a layer's output and all its gradients are those of Python in golden/nn.safetensors. */
export function expectModuleParity<M extends Module & { forward(xs: Tensor): Tensor }>(
  name: string,
  build: (vs: ParamStore) => M,
  tolerance = 1e-6,
): void {
  const all = nnGolden(name);
  const given = (key: string) => all.get(key)!;
  const isParameter = (key: string) => !["x", "out", "cotangent"].includes(key) && !key.startsWith("grad.");
  const parameters = new Map(
    [...all].filter(([key]) => isParameter(key)).map(([key, value]) => [key.replaceAll("/", "."), value]),
  );
  scope(() => {
    const model = buildFromTensors(parameters, build);
    const input = given("x").dtype === "float32" ? given("x").requiresGrad_() : given("x");
    const out = model.forward(input);
    out.backward(given("cotangent"));
    expect(relativeError(out, given("out"))).toBeLessThan(tolerance);
    if (input.requiresGrad) expect(relativeError(input.grad!, given("grad.x"))).toBeLessThan(tolerance);
    for (const [key, value] of model.namedParameters()) {
      expect(relativeError(value.grad!, given(`grad.${key.replaceAll(".", "/")}`))).toBeLessThan(tolerance);
    }
  });
}

/** Every element type that safetensors files hold here. */
export const STORED_DTYPES: readonly DType[] = [
  "float64",
  "float32",
  "float16",
  "bfloat16",
  "int64",
  "int32",
  "int16",
  "int8",
  "uint8",
  "bool",
];
