// Weights and inputs by closed formulas, so that fixtures hold only results. Twin: tools/golden/closed_form.py.
import type { Module } from "../src/nn/index.ts";
import { arange, noGrad, scope, type Tensor } from "../src/torch/index.ts";

/** sin(0.7 i + phase) over the elements i of a shape, in float64. */
export function wave64(shape: readonly number[], phase: number): Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  return scope(() =>
    arange(0, count, 1, { dtype: "float64" })
      .mul(0.7)
      .add(phase)
      .sin()
      .view([...shape]),
  );
}

/** The same in float32. */
export const wave = (shape: readonly number[], phase: number): Tensor =>
  scope(() => wave64(shape, phase).to("float32"));

/** Every parameter a wave whose phase is its place in the sorted names: matrices scaled by fan-in, norms about 1. */
export function fill<M extends Module>(model: M): M {
  const sorted = [...model.namedParameters()].sort(([a], [b]) => (a < b ? -1 : 1));
  noGrad(() =>
    sorted.forEach(([key, value], i) =>
      scope(() => {
        const v = wave64(value.shape, i);
        const fanIn = value.shape.slice(1).reduce((a, b) => a * b, 1);
        if (value.ndim > 1) value.copy_(v.mul(1.2 / Math.sqrt(fanIn)));
        else value.copy_(key.endsWith("weight") ? v.mul(0.1).add(1) : v.mul(0.05));
      }),
    ),
  );
  return model;
}
