import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { fill, wave } from "../../test/closed-form.ts";
import { ownGolden } from "../../test/own-golden.ts";
import { relativeError } from "../../test/tensors.ts";
import { writeSafetensors } from "../checkpoint/index.ts";
import { AdamW, Linear, ParamStore } from "../nn/index.ts";
import {
  arange,
  CheckpointError,
  crossEntropyLoss,
  scope,
  tensor,
  tensorCount,
  zeros,
} from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";
import { loadResnet } from "./load-resnet.ts";
import { Resnet } from "./resnet.ts";
import type { ResnetName } from "./resnet.ts";

const { get, json } = ownGolden("resnet");
const root = mkdtempSync(join(tmpdir(), "resnet-"));
afterAll(() => rmSync(root, { recursive: true }));

const NAMES = ["resnet18", "resnet50"] as const;
const small = (architecture: ResnetName) => Resnet.seeded({ architecture, numClasses: 3 }, { seed: 4 });

describe.each(NAMES)("%s", (name) => {
  it("has torchvision's keys, shapes and dtypes, and draws from its distributions", () => {
    using model = small(name);
    const state = model.stateDict();
    const shapes = (json("shapes") as Record<string, Record<string, unknown>>)[name];
    const ours = Array.from(state, ([key, { dtype, shape }]) => [key, [dtype, ...shape]]);
    expect(Object.fromEntries(ours)).toEqual(shapes);
    const std = (json("init_std") as Record<string, Record<string, number>>)[name]!;
    for (const [key, value] of Object.entries(std)) {
      const tolerance = 6 / Math.sqrt(state.get(key)!.numel); // about 6 standard errors of both draws
      expect(Math.abs(scope(() => state.get(key)!.std().item()) / value - 1)).toBeLessThan(tolerance);
    }
  });

  it("computes torchvision's logits and gradients", () => {
    using model = fill(new Resnet(ParamStore.seeded(), { architecture: name, numClasses: 3 }));
    scope(() => {
      const images = wave([2, 3, 40, 33], 0.5).requiresGrad_();
      const logits = model.forward(images);
      logits.backward(wave([2, 3], 0.25));
      const gradients = new Map([...model.namedParameters()].map(([key, value]) => [key, value.grad!]));
      const errors = {
        logits: relativeError(logits, get(`${name}.logits`)),
        images: relativeError(images.grad!, get(`${name}.grad.x`)),
        conv1: relativeError(gradients.get("conv1.weight")!, get(`${name}.grad.conv1`)),
        fc: relativeError(gradients.get("fc.weight")!, get(`${name}.grad.fc`)),
      };
      for (const error of Object.values(errors)) expect(error).toBeLessThan(1e-5);
    });
  });
});

describe("an epoch of training", () => {
  it.each([
    ["plain", undefined],
    ["weighted", [0.5, 1, 2.5]],
  ] as const)("follows torch's step by step: %s", (name, weights) => {
    using model = fill(new Resnet(ParamStore.seeded(), { architecture: "resnet18", numClasses: 3 }));
    using optimizer = new AdamW(model.namedParameters(), { lr: 1e-4, weightDecay: 0 });
    model.train();
    const losses: number[] = [];
    scope(() => {
      const images = wave([30, 3, 32, 32], 0.1).mul(arange(0, 30).remainder(3).add(1).view([30, 1, 1, 1]));
      const labels = arange(0, 30).remainder(3).to("int64");
      for (let first = 0; first < 30; first += 8) {
        scope(() => {
          const [xs, ys] = [images.slice(0, first, first + 8), labels.slice(0, first, first + 8)];
          const loss = crossEntropyLoss(model.forward(xs), ys, weights && tensor([...weights]));
          optimizer.zeroGrad();
          loss.backward();
          optimizer.step();
          losses.push(loss.item());
        });
      }
      const errors: Record<string, number> = {
        losses: relativeError(tensor(losses), get(`${name}.losses`)),
        logits: relativeError(model.eval().forward(images), get(`${name}.logits`)),
      };
      for (const [key, value] of model.namedBuffers())
        if (key.includes("running")) errors[key] = relativeError(value, get(`${name}.${key}`));
      expect(Object.keys(errors)).toHaveLength(42);
      expect(errors["losses"]).toBeLessThan(1e-5);
      for (const error of Object.values(errors)) expect(error).toBeLessThan(1e-3);
    });
  });
});

describe("loadResnet", () => {
  const save = (path: string, state: ReadonlyMap<string, Tensor>) => {
    writeSafetensors(join(root, path), state);
    return join(root, path);
  };

  it("reads file and folder, with or without the wrapper of several GPUs and the counters, in half precision too", () => {
    using model = small("resnet18");
    const before = tensorCount();
    const state = model.stateDict();
    mkdirSync(join(root, "folder"));
    save("folder/model.safetensors", state);
    const wrapped = save(
      "wrapped.safetensors",
      new Map(Array.from(state, ([key, value]) => [`module.${key}`, value])),
    );
    const old = save(
      "old.safetensors",
      new Map([...state].filter(([key]) => !key.endsWith("num_batches_tracked"))),
    );
    const half = scope(() =>
      save(
        "half.safetensors",
        new Map(Array.from(state, ([k, v]) => [k, v.dtype === "int64" ? v : v.to("float16")])),
      ),
    );
    scope(() => {
      const images = wave([1, 3, 32, 32], 0);
      const expected = model.forward(images);
      for (const place of [join(root, "folder"), wrapped, old, half]) {
        using read = loadResnet(place);
        expect(read.config).toEqual({ architecture: "resnet18", numClasses: 3 });
        expect(read.parameters()[0]!.dtype).toBe("float32");
        expect(relativeError(read.forward(images), expected)).toBeLessThan(place === half ? 1e-2 : 1e-9);
      }
    });
    expect(tensorCount()).toBe(before);
  });

  it("gives a new, seeded last layer for another number of classes and keeps the rest", () => {
    using model = small("resnet18");
    const path = save("three.safetensors", model.stateDict());
    const before = tensorCount();
    {
      using five = loadResnet(path, { numClasses: 5, seed: 7 });
      using same = loadResnet(path, { numClasses: 3, seed: 7 });
      using head = new Linear(ParamStore.seeded({ seed: 7 }), 512, 5);
      expect(five.config.numClasses).toBe(5);
      expect(five.stateDict().get("fc.weight")!.toArray()).toEqual(head.weight.value.toArray());
      expect(five.stateDict().get("conv1.weight")!.toArray()).toEqual(
        model.stateDict().get("conv1.weight")!.toArray(),
      );
      expect(same.stateDict().get("fc.weight")!.toArray()).toEqual(
        model.stateDict().get("fc.weight")!.toArray(),
      );
    }
    expect(tensorCount()).toBe(before);
  });

  it("says what is wrong, and leaves nothing allocated", () => {
    using model = small("resnet18");
    const state = model.stateDict();
    const without = (pattern: RegExp) => new Map([...state].filter(([key]) => !pattern.test(key)));
    const path = save("whole.safetensors", state);
    const other = save("other.safetensors", without(/^layer2\.1/));
    const broken = save("broken.safetensors", without(/^layer2\.1\.bn2\.bias/));
    using weight = zeros([2, 2]);
    const none = save("none.safetensors", new Map([["unet.weight", weight]]));
    writeFileSync(join(root, "text.pth"), "no pickle");
    mkdirSync(join(root, "empty"));
    const before = tensorCount();
    const refused = (place: string, pattern: RegExp, options = {}) => {
      expect(() => loadResnet(place, options)).toThrow(CheckpointError);
      expect(() => loadResnet(place, options)).toThrow(pattern);
    };
    refused(join(root, "missing"), /missing does not exist/);
    refused(join(root, "empty"), /no model\.safetensors or model\.pth; it holds nothing/);
    refused(join(root, "text.pth"), /text\.pth/);
    refused(none, /no ResNet \(its keys begin with unet\.weight\); expected resnet18 or resnet50/);
    refused(other, /a ResNet of 2, 1, 2, 2 basic blocks/);
    refused(broken, /missing keys[^]*layer2\.1\.bn2\.bias/);
    refused(path, /it holds a resnet18; expected a resnet50/, { architecture: "resnet50" });
    expect(tensorCount()).toBe(before);
  });
});
