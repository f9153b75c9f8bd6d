import { describe, expect, it } from "vitest";
import { settledTensorCount } from "../../test/settled.ts";
import {
  autocast,
  Generator,
  inferenceMode,
  noGrad,
  randn,
  scope,
  tensor,
  tensorCount,
} from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";
import { checkpointed, CheckpointTape, repeatable, withTape } from "./checkpointing.ts";
import { Linear } from "./linear.ts";
import { ParamStore } from "./param-store.ts";

/** A network with what U-Nets have: something shared by all segments, skips, layers between segments, a frozen start. */
class Net {
  readonly vs = ParamStore.seeded({ seed: 1 });
  readonly time = new Linear(this.vs.at("time"), 3, 4);
  readonly first = new Linear(this.vs.at("first"), 4, 4);
  readonly blocks = [0, 1, 2, 3].map((i) => new Linear(this.vs.at("blocks", i), 4, 4));
  readonly between = new Linear(this.vs.at("between"), 4, 4);
  readonly last = new Linear(this.vs.at("last"), 4, 1);
  runs = 0;

  parameters(): [string, Tensor][] {
    return [...this.vs.parameters()].map(([key, slot]) => [key, slot.value]);
  }

  forward(xs: Tensor, ts: Tensor): Tensor {
    const block = (i: number, h: Tensor, temb: Tensor) =>
      checkpointed(
        (a, t) =>
          scope(() => {
            this.runs++;
            return this.blocks[i]!.forward(a.add(t)).tanh();
          }),
        [h, temb],
      );
    return scope(() => {
      const temb = this.time.forward(ts).tanh();
      const start = this.first.forward(xs);
      const a = block(0, start, temb);
      const b = block(1, this.between.forward(a), temb);
      const c = block(2, b.add(a), temb);
      const d = checkpointed((one, two) => scope(() => this.blocks[3]!.forward(one.mul(two))), [c, start]);
      return this.last.forward(d.add(b)).square().mean();
    });
  }
}

const generator = new Generator().manualSeed(4);
const xs = randn([5, 4], { generator });
const ts = randn([5, 3], { generator });

function gradients(net: Net): Record<string, number[] | undefined> {
  const all = Object.fromEntries(
    net.parameters().map(([key, value]) => [key, scope(() => value.grad?.toNumbers())]),
  );
  for (const [, value] of net.parameters()) value.grad = undefined;
  return all;
}

function plain(net: Net, input = xs): [number, ReturnType<typeof gradients>] {
  const loss = scope(() => {
    const value = net.forward(input, ts);
    value.backward();
    return value.item();
  });
  return [loss, gradients(net)];
}

function onTape(net: Net, input = xs): [number, ReturnType<typeof gradients>] {
  using tape = new CheckpointTape();
  const loss = scope(() => {
    const value = withTape(tape, () => net.forward(input, ts));
    value.backward();
    return value.item();
  });
  tape.backward();
  return [loss, gradients(net)];
}

describe("checkpointed", () => {
  it("gives the loss and the gradients of the plain path: shared inputs, skips, layers between, several steps", () => {
    const net = new Net();
    for (let step = 0; step < 3; step++) {
      const [expected, actual] = [plain(net), onTape(net)];
      expect(actual[0]).toBe(expected[0]);
      for (const [key, values] of Object.entries(expected[1])) {
        values!.forEach((value, i) => expect(actual[1][key]![i], key).toBeCloseTo(value, 7));
      }
    }
  });

  it("runs each segment once forwards and once backwards", () => {
    const net = new Net();
    onTape(net);
    expect(net.runs).toBe(6);
    plain(net);
    expect(net.runs).toBe(9);
  });

  it("gives inputs that are leaves their gradient", () => {
    const net = new Net();
    const grad = (run: typeof plain) =>
      scope(() => {
        const input = xs.clone().requiresGrad_();
        run(net, input);
        return input.grad!.toNumbers();
      });
    expect(grad(onTape)).toEqual(grad(plain));
  });

  it("leaves segments alone through which no gradient flows", () => {
    const net = new Net();
    for (const [, value] of net.parameters()) value.requiresGrad_(false);
    net.blocks[2]!.weight.value.requiresGrad_();
    const [, actual] = onTape(net);
    // Blocks 0 and 1 ran forwards only, block 2 twice.
    expect(net.runs).toBe(4);
    expect(actual).toEqual(plain(net)[1]);
    expect(Object.values(actual).filter(Boolean)).toHaveLength(1);
  });

  it("sends the loss back itself where a tensor before a segment is used outside as well", () => {
    const weight = tensor([2, -3]).requiresGrad_();
    scope(() => {
      using tape = new CheckpointTape();
      const loss = withTape(tape, () => {
        const shared = weight.square();
        return checkpointed((h) => h.sin(), [shared])
          .mul(shared)
          .sum();
      });
      tape.backward(loss);
      const grad = weight.grad!.toNumbers();
      [2, -3].forEach((w, i) =>
        expect(grad[i]).toBeCloseTo(2 * w * (Math.sin(w * w) + w * w * Math.cos(w * w)), 4),
      );
    });
    weight.dispose();
  });

  it("records nothing inside noGrad and inference mode", () => {
    const net = new Net();
    for (const mode of [noGrad, inferenceMode]) {
      using tape = new CheckpointTape();
      const count = settledTensorCount();
      withTape(tape, () => mode(() => scope(() => void net.forward(xs, ts))));
      expect(tensorCount()).toBe(count);
      tape.backward();
    }
    expect(net.runs).toBe(6);
  });

  it("runs segments again under the autocast and in the states in which they ran first", () => {
    const weight = tensor([[1.001, 0.3]]).requiresGrad_();
    const input = tensor([[1.7, -0.1]]);
    const dtypes: string[] = [];
    let gain = 1;
    const withGain = <T>(value: number, fn: () => T) =>
      repeatable((run) => {
        const before = gain;
        gain = value;
        try {
          return run();
        } finally {
          gain = before;
        }
      }, fn);
    scope(() => {
      using tape = new CheckpointTape();
      const loss = withTape(tape, () =>
        withGain(3, () =>
          autocast({ dtype: "bfloat16" }, () =>
            checkpointed(
              (x) => {
                const out = x.matmul(weight.t()).mul(gain);
                dtypes.push(out.dtype);
                return out;
              },
              [input],
            ),
          ).sum(),
        ),
      );
      loss.backward();
      tape.backward();
      expect(dtypes).toEqual(["bfloat16", "bfloat16"]);
      weight.grad!.toNumbers().forEach((value, i) => expect(value).toBeCloseTo(3 * [1.7, -0.1][i]!, 1));
    });
    expect(gain).toBe(1);
    weight.dispose();
  });

  it("holds no tensor after the backward pass, nor after a step that failed", () => {
    const net = new Net();
    onTape(net);
    const count = settledTensorCount();
    for (let step = 0; step < 5; step++) onTape(net);
    expect(tensorCount()).toBe(count);
    expect(() => {
      using tape = new CheckpointTape();
      withTape(tape, () =>
        scope(() => {
          net.forward(xs, ts);
          throw new Error("stop");
        }),
      );
    }).toThrow("stop");
    expect(tensorCount()).toBe(count);
    expect(net.runs).toBe(6 * 6 + 3);
  });
});
