// What one call of a small operator costs, from JavaScript into libtorch and back, result released. Twin:
// tools/bench/dispatch.py. Compare with `npm run bench -- dispatch`.
import { ones, scope, type Tensor } from "../src/torch/index.ts";
import { prepare, printResult, timeCalls } from "./measure.ts";

const CALLS = 2000;
const BATCHES = 40;

prepare();
const [a, b, square] = [ones([3]), ones([3]), ones([4, 4])];

const cases: Record<string, () => Tensor> = {
  "add(3, 3)": () => a.add(b),
  "add(3, number)": () => a.add(1.5),
  view: () => a.view([3, 1]),
  "matmul(4x4)": () => square.matmul(square),
  "mul_(3, number)": () => a.mul_(1.0),
  sum: () => a.sum(),
};

// The fastest batch: at this scale other processes only add.
const perCall = (loop: () => void): number =>
  (Math.min(...timeCalls(loop, { warmup: 5, calls: BATCHES })) * 1e6) / CALLS;

const values: Record<string, number> = {};
for (const [name, fn] of Object.entries(cases)) {
  // In-place operators return their own tensor, which stays.
  const isNew = scope(() => fn() !== a);
  values[`${name} [dispose]`] = perCall(() => {
    for (let i = 0; i < CALLS; i++) {
      const result = fn();
      if (isNew) result.dispose();
    }
  });
  // Scopes of the size that a block of a network makes.
  values[`${name} [scope]`] = perCall(() => {
    for (let i = 0; i < CALLS; i += 20) {
      scope(() => {
        for (let j = 0; j < 20; j++) fn();
      });
    }
  });
}
printResult("ns/call", values);
