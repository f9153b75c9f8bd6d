// Networks with weights by the closed formula of test/golden/make_golden.py (formula_fill), so that no weight file is needed.
import { buildFromTensors, type Module, ParamStore } from "../src/nn/index.ts";
import { arange, scope, zeros, type Tensor } from "../src/torch/index.ts";

/** Values computed at once, so that the largest layers need no second copy in float64. */
const CHUNK = 1 << 22;

interface Network {
  /** Its keys, sorted, as the golden lists them: a value depends on its key's place. By default those it has here. */
  readonly sortedKeys?: readonly string[] | undefined;
  readonly make: (vs: ParamStore) => Module;
}

/** The weights by key of all the network's tensors; the caller owns them. */
export function formulaWeights({ sortedKeys, make }: Network): Map<string, Tensor> {
  using shapes = make(ParamStore.shapesOnly());
  const state = shapes.stateDict();
  const filled = (sortedKeys ?? [...state.keys()].sort()).flatMap((key, place): [string, Tensor][] => {
    const shape = state.get(key)?.shape;
    if (shape === undefined) return [];
    if (key.endsWith("num_batches_tracked")) return [[key, zeros([], { dtype: "int64" })]];
    return [[key, fill(key, shape, place)]];
  });
  return new Map(filled);
}

/** The network with these weights. */
export function formulaNetwork<M extends Module>(
  make: (vs: ParamStore) => M,
  sortedKeys?: readonly string[],
): M {
  return buildFromTensors(formulaWeights({ sortedKeys, make }), make).eval();
}

function fill(key: string, shape: readonly number[], place: number): Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  const values = zeros([...shape]);
  for (let start = 0; start < count; start += CHUNK) {
    const end = Math.min(start + CHUNK, count);
    scope(() => {
      const phases = arange(start, end, 1, { dtype: "float64" })
        .mul_(12.9898)
        .add_((place % 97) * 78.233);
      const waves = phases.sin().mul_(43758.5453).frac().mul_(1.7320508);
      values
        .view([-1])
        .slice(0, start, end)
        .copy_(scaled(key, shape, waves));
    });
  }
  return values;
}

/** As each kind of tensor needs it: matrices by fan-in, variances and gains about 1, the others about 0. */
function scaled(key: string, shape: readonly number[], values: Tensor): Tensor {
  if (key.endsWith("running_var")) return values.abs().mul_(0.2).add_(1);
  if (key.endsWith("running_mean")) return values.mul_(0.05);
  if (shape.length > 1) return values.mul_(1.4 / Math.sqrt(shape.slice(1).reduce((a, b) => a * b, 1)));
  if (key.endsWith("weight")) return values.mul_(0.1).add_(1);
  return values.mul_(0.02);
}
