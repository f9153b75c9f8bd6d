import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { settledTensorCount } from "../../../test/settled.ts";
import {
  asComparable,
  disposeTree,
  expectedContent,
  torchFile,
  torchFileNames,
} from "../../../test/torch-files.ts";
import type { Tensor } from "../../torch/index.ts";
import { CheckpointError, scope, tensorCount } from "../../torch/index.ts";
import { readTorchFile, readTorchStateDict, type TorchValue } from "./index.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "torch-file-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const map = (value: TorchValue | undefined) => value as Map<TorchValue, TorchValue>;
const tensorAt = (value: TorchValue, ...path: TorchValue[]) =>
  path.reduce((at, key) => map(at).get(key)!, value) as Tensor;

describe("values are Python's", () => {
  it.each(torchFileNames())("%s", (name) => {
    const value = readTorchFile(torchFile(name));
    expect(asComparable(value)).toEqual(expectedContent(name));
    disposeTree(value);
  });
});

describe("tensors", () => {
  it("belong to the caller: no scope releases them, disposing leaves none behind", () => {
    const before = settledTensorCount();
    const value = scope(() => {
      const read = readTorchFile(torchFile("lightning.ckpt"));
      return { read };
    }).read;
    expect(tensorAt(value, "state_dict", "1.num_batches_tracked").item()).toBe(1);
    disposeTree(value);
    expect(tensorCount()).toBe(before);
  });

  it("share what Python shares: views of one storage, one tensor at two places", () => {
    for (const name of ["views.pth", "views-legacy.pth"]) {
      const views = map(readTorchFile(torchFile(name)));
      const base = views.get("base") as Tensor;
      base.fill_(7);
      expect((views.get("rows") as Tensor).toNumbers()).toEqual(new Array(10).fill(7));
      expect((views.get("element") as Tensor).item()).toBe(7);
      const [first, second] = views.get("tied") as [Tensor, Tensor];
      expect([first, second]).toEqual([base, base]);
    }
  });

  it("are mapped: writing into them never changes the file, replacing the file never changes them", () => {
    const path = join(folder, "x.pth");
    copyFileSync(torchFile("state-dict.bin"), path);
    const bytes = readFileSync(path);
    const state = readTorchStateDict(path);
    const weight = state.get("0.weight")!;
    const original = weight.toNumbers();
    weight.mul_(2);
    expect(readFileSync(path).equals(bytes)).toBe(true);
    expect(weight.toNumbers()).toEqual(original.map((value) => value * 2));
    rmSync(path);
    writeFileSync(path, "gone");
    expect(state.get("0.bias")!.toNumbers()).toHaveLength(4);
  });

  it("take no gradients, whatever the file says", () => {
    const value = map(readTorchFile(torchFile("parameter.pth")));
    expect((value.get("weight") as Tensor).requiresGrad).toBe(false);
  });
});

describe("readTorchStateDict", () => {
  const names = ["0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"];
  const all = [...names, "1.num_batches_tracked"];

  it("takes the dict at the top", () => {
    expect([...readTorchStateDict(torchFile("state-dict.bin")).keys()]).toEqual(all);
  });

  it("takes the one under state_dict, although tensors lie beside it", () => {
    for (const name of ["lightning.ckpt", "lightning-legacy.ckpt"]) {
      const state = readTorchStateDict(torchFile(name));
      expect([...state.keys()]).toEqual(all);
      const whole = readTorchFile(torchFile(name));
      expect(state.get("0.weight")!.toNumbers()).toEqual(
        tensorAt(whole, "state_dict", "0.weight").toNumbers(),
      );
    }
  });

  it("takes the one under a key that is named, without what is no tensor", () => {
    const state = readTorchStateDict(torchFile("lightning.ckpt"), { key: "rng" });
    expect([...state.keys()]).toEqual(["torch"]);
    expect(state.get("torch")!.dtype).toBe("uint8");
  });

  it("makes a handle of its own for every name, and leaves none behind", () => {
    const before = settledTensorCount();
    const state = readTorchStateDict(torchFile("views.pth"));
    expect(tensorCount()).toBe(before + state.size);
    state.forEach((tensor) => tensor.dispose());
    expect(tensorCount()).toBe(before);
  });

  it("lists what there is when there are no tensors", () => {
    const read = (name: string, key?: string) => () => readTorchStateDict(torchFile(name), { key });
    expect(read("lightning.ckpt", "hyper_parameters")).toThrow(CheckpointError);
    expect(read("lightning.ckpt", "nothing")).toThrow(
      /lightning\.ckpt has no dict of tensors under "nothing"; it holds epoch \(int\), global_step \(int\).*state_dict \(dict\)/,
    );
    expect(read("tensor.pkl")).toThrow(/it holds a tensor.*Expected a dict of tensors by name/);
  });
});
