// Published files at full size (holes where zeros are), and what is said about every other file.
import { cpSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { wave } from "../../../test/closed-form.ts";
import { settledTensorCount } from "../../../test/settled.ts";
import { writeSparseWeights } from "../../../test/sparse-weights.ts";
import { writeSafetensors } from "../../checkpoint/index.ts";
import { type Module, ParamStore } from "../../nn/index.ts";
import { CheckpointError, ConfigError, noGrad, scope, tensorCount, zeros } from "../../torch/index.ts";
import { Resnet } from "../resnet.ts";
import {
  FidInception,
  findNetworkFile,
  loadFidInception,
  loadLpips,
  loadVgg16,
  LpipsVgg,
  NETWORK_KINDS,
  Vgg16,
} from "./index.ts";

const root = mkdtempSync(join(tmpdir(), "vision-"));
const at = (name: string) => join(root, name);
const golden = (name: string) =>
  fileURLToPath(new URL(`../../../test/golden/vision-files/${name}`, import.meta.url));
const LINS = golden("lpips-vgg.pth");

type Shapes = Map<string, readonly number[]>;
const shapesOf = (make: (vs: ParamStore) => Module): Shapes => {
  using model = make(ParamStore.shapesOnly());
  return new Map(Array.from(model.stateDict(), ([key, { shape }]) => [key, shape]));
};
const inception = shapesOf((vs) => new FidInception(vs));
const vgg16 = new Map([
  ...shapesOf((vs) => new Vgg16(vs)),
  ["classifier.6.weight", [1000, 4096]],
  ["classifier.6.bias", [1000]],
]);
const ramp = (length: number) => Float32Array.from({ length }, (_, i) => i / length);
const without = (shapes: Shapes, pattern: RegExp): Shapes =>
  new Map([...shapes].filter(([key]) => !pattern.test(key)));

beforeAll(() => {
  writeSparseWeights(at("inception.safetensors"), inception, { "Conv2d_1a_3x3.bn.running_var": ramp(32) });
  writeSparseWeights(at("vgg16.safetensors"), vgg16, { "classifier.3.bias": ramp(4096) });
});
afterAll(() => rmSync(root, { recursive: true }));

describe("FID's Inception", () => {
  const head: Shapes = new Map([
    ["fc.weight", [1008, 2048]],
    ["fc.bias", [1008]],
  ]);

  it.each([
    ["as pytorch-fid and torch-fidelity write it", new Map([...inception, ...head])],
    ["without its classes", inception],
    ["without counters, as old files are", without(inception, /num_batches_tracked$/)],
  ])("loads %s, and lets go of everything", (_what, shapes) => {
    const file = at("any-inception.safetensors");
    writeSparseWeights(file, shapes, { "Conv2d_1a_3x3.bn.running_var": ramp(32) });
    const count = settledTensorCount();
    {
      using network = loadFidInception(file);
      expect(network.dimensions).toBe(2048);
      const state = network.stateDict();
      expect(state.get("Conv2d_1a_3x3.bn.running_var")!.toArray()).toEqual(ramp(32));
      expect(tensorCount()).toBe(count + state.size);
    }
    expect(tensorCount()).toBe(count);
  });
});

describe("VGG-16", () => {
  it("loads, leaves its classes aside, and ends before the ReLU of fc2", () => {
    const count = settledTensorCount();
    {
      using network = loadVgg16(at("vgg16.safetensors"));
      const state = network.stateDict();
      expect([...state.keys()].sort()).toEqual([...without(vgg16, /^classifier\.6/).keys()].sort());
      expect(state.get("classifier.3.bias")!.toArray()).toEqual(ramp(4096));
      expect(tensorCount()).toBe(count + state.size);
    }
    expect(tensorCount()).toBe(count);
  });
});

describe("LPIPS", () => {
  it("is put together from VGG-16 and the linear layers, whose file names a GPU", () => {
    const count = settledTensorCount();
    {
      using network = loadLpips({ vggFile: at("vgg16.safetensors"), linFile: LINS });
      const state = network.stateDict();
      expect(state.size).toBe(26 + 5);
      scope(() => {
        for (const [i, channels] of [64, 128, 256, 512, 512].entries())
          expect(state.get(`lin${i}.model.1.weight`)!.toArray()).toEqual(
            wave([1, channels, 1, 1], i).abs().toArray(),
          );
      });
      expect(tensorCount()).toBe(count + state.size);
    }
    expect(tensorCount()).toBe(count);
  });

  it("loads from one file with all that lpips keeps", () => {
    using network = LpipsVgg.seeded({}, 3);
    scope(() => {
      const lins = Array.from({ length: 5 }, (_, i) => {
        return [`lins.${i}.model.1.weight`, network.stateDict().get(`lin${i}.model.1.weight`)!] as const;
      });
      const buffers = ["shift", "scale"].map(
        (name) => [`scaling_layer.${name}`, zeros([1, 3, 1, 1])] as const,
      );
      writeSafetensors(at("whole.safetensors"), new Map([...network.stateDict(), ...lins, ...buffers]));
      using again = loadLpips({ linFile: at("whole.safetensors") });
      const images = wave([2, 3, 16, 16], 1);
      const distances = (model: LpipsVgg) =>
        noGrad(() => model.forward(images, images.flip([0])).toNumbers());
      expect(distances(again)).toEqual(distances(network));
      expect(distances(again)[0]).toBeGreaterThan(0);
    });
  });

  it("wants VGG-16 beside linear layers, and no negative ones", () => {
    expect(() => loadLpips({ linFile: LINS })).toThrow(ConfigError);
    expect(() => loadLpips({ linFile: LINS })).toThrow("give torchvision's VGG-16 too");
    const lins = [64, 128, 256, 512, 512].map(
      (channels, i) => [`lin${i}.model.1.weight`, [1, channels, 1, 1]] as const,
    );
    writeSparseWeights(at("negative.safetensors"), lins, { "lin2.model.1.weight": ramp(256).map((x) => -x) });
    const files = { vggFile: at("vgg16.safetensors"), linFile: at("negative.safetensors") };
    expect(() => loadLpips(files)).toThrow(
      /negative\.safetensors: lin2\.model\.1\.weight has negative values/,
    );
  });
});

describe("a wrong file", () => {
  const lins = (channels: readonly number[]): Shapes =>
    new Map(channels.map((each, i) => [`lin${i}.model.1.weight`, [1, each, 1, 1]]));
  const resnet = shapesOf((vs) => new Resnet(vs, { architecture: "resnet18", numClasses: 1000 }));
  const FILES: Readonly<Record<string, Shapes>> = {
    resnet,
    vgg19: new Map([...vgg16, ["features.34.weight", [512, 512, 3, 3]]]),
    "vgg16-bn": new Map([...vgg16, ["features.1.running_mean", [64]]]),
    torchvision: new Map([...inception, ["AuxLogits.fc.weight", [1000, 768]]]),
    "torchvision-without-aux": new Map([...inception, ["fc.weight", [1000, 2048]]]),
    alexnet: new Map([["features.0.weight", [64, 3, 11, 11]]]),
    "alex-lins": lins([64, 192, 384, 256, 256]),
    "squeeze-lins": lins([64, 128, 256, 384, 384, 512, 512]),
    strange: new Map([["alpha", [2]]]),
    narrow: new Map([...vgg16, ["classifier.3.weight", [100, 4096]]]),
    incomplete: without(inception, /^Mixed_6c/),
  };
  const write = (name: string) => {
    const file = at(`${name}.safetensors`);
    writeSparseWeights(file, FILES[name]!);
    return file;
  };
  const loadLins = (file: string) => loadLpips({ vggFile: at("vgg16.safetensors"), linFile: file });
  const pickled = (name: string, bytes: string | number) => () => {
    const file = at(name);
    if (typeof bytes === "string") writeFileSync(file, bytes);
    else {
      cpSync(LINS, file);
      truncateSync(file, bytes);
    }
    return file;
  };

  it.each([
    ["a ResNet as VGG-16", () => write("resnet"), loadVgg16, "holds a ResNet."],
    ["VGG-19 as VGG-16", () => write("vgg19"), loadVgg16, "holds VGG-19."],
    ["VGG-16 with batch norm", () => write("vgg16-bn"), loadVgg16, "holds a VGG network with batch norm."],
    ["AlexNet as VGG-16", () => write("alexnet"), loadVgg16, "holds AlexNet."],
    ["a narrower VGG-16", () => write("narrow"), loadVgg16, "[100, 4096] in the checkpoint, [4096, 4096]"],
    ["VGG-16 as Inception", () => at("vgg16.safetensors"), loadFidInception, "holds VGG-16."],
    ["torchvision's Inception", () => write("torchvision"), loadFidInception, "which is not FID's."],
    [
      "the same without its second head",
      () => write("torchvision-without-aux"),
      loadFidInception,
      "which is not FID's.",
    ],
    ["an incomplete Inception", () => write("incomplete"), loadFidInception, "Mixed_6c.{branch1x1,"],
    [
      "other tensors",
      () => write("strange"),
      loadFidInception,
      "holds tensors of another model (alpha ...).",
    ],
    ["AlexNet's layers as LPIPS'", () => write("alex-lins"), loadLins, "linear layers for AlexNet."],
    ["SqueezeNet's layers", () => write("squeeze-lins"), loadLins, "linear layers for SqueezeNet."],
    ["VGG-16 as LPIPS' layers", () => at("vgg16.safetensors"), loadLins, "holds VGG-16."],
    ["a graph of TensorFlow", pickled("inception.pb", "graph"), loadFidInception, "a graph of TensorFlow."],
    [
      "TorchScript",
      () => golden("torchscript.pt"),
      loadFidInception,
      "torchscript.pt is not a usable PyTorch file",
    ],
    ["half a pickle", pickled("half.pth", 3000), loadLins, "half.pth"],
    ["a web page", pickled("page.pth", "<html>404</html>"), loadVgg16, "a web page"],
    ["no file", () => at("absent.pth"), loadVgg16, "absent.pth does not exist"],
  ] as const)("%s", (_what, file, load, message) => {
    const path = file();
    const count = settledTensorCount();
    let error: unknown;
    try {
      load(path);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(CheckpointError);
    expect((error as Error).message).toContain(path);
    expect((error as Error).message).toContain(message);
    expect(tensorCount()).toBe(count);
  });

  it("half a safetensors file", () => {
    const file = write("resnet");
    truncateSync(file, 30_000);
    expect(() => loadVgg16(file)).toThrow(/resnet\.safetensors.*Expected torchvision's VGG-16/s);
  });

  it("is told what was expected and how to get it", () => {
    expect(() => loadVgg16(write("resnet"))).toThrow(
      "Expected torchvision's VGG-16, such as vgg16-397923af.pth (invdiff download network vgg16).",
    );
    expect(() => loadFidInception(at("absent.pth"))).toThrow(
      "Expected FID's Inception-v3, such as pt_inception-2015-12-05-6726825d.pth (invdiff download network inception).",
    );
    expect(() => loadLins(at("absent.pth"))).toThrow("such as vgg.pth (invdiff download network lpips).");
  });
});

describe("findNetworkFile", () => {
  const folder = at("networks");
  const put = (name: string) => {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), "");
    return join(folder, name);
  };

  it("finds nothing where nothing is", () => {
    for (const kind of NETWORK_KINDS) expect(findNetworkFile(at("nowhere"), kind)).toBeUndefined();
    mkdirSync(join(folder, "vgg16-397923af.pth"), { recursive: true }); // a folder of that name is no file
    expect(findNetworkFile(folder, "vgg16")).toBeUndefined();
    rmSync(folder, { recursive: true });
  });

  it("knows the published names, the usual one first", () => {
    const second = put("weights-inception-2015-12-05-6726825d.pth");
    expect(findNetworkFile(folder, "inception")).toBe(second);
    const first = put("pt_inception-2015-12-05-6726825d.pth");
    expect(findNetworkFile(folder, "inception")).toBe(first);
    const nested = put("lpips/weights/v0.1/vgg.pth");
    expect(findNetworkFile(folder, "lpips")).toBe(nested);
    expect(findNetworkFile(folder, "lpips")).not.toBe(put("vgg.pth"));
    expect(findNetworkFile(folder, "lpips")).toBe(join(folder, "vgg.pth"));
    expect(findNetworkFile(folder, "vgg16")).toBeUndefined();
  });

  it("takes other releases of torchvision's networks, and CLIP by its folder", () => {
    put("vgg16-bn-397923af.pth");
    put("vgg16-6c64b313.pth.part");
    expect(findNetworkFile(folder, "vgg16")).toBeUndefined();
    const older = put("vgg16-6c64b313.pth");
    expect(findNetworkFile(folder, "vgg16")).toBe(older);
    expect(findNetworkFile(folder, "vgg16")).not.toBe(put("vgg16-397923af.pth"));
    const resnet = put("resnet50-0676ba61.pth");
    expect(findNetworkFile(folder, "resnet50")).toBe(resnet);
    expect(findNetworkFile(folder, "resnet18")).toBeUndefined();
    expect(findNetworkFile(folder, "clip")).toBeUndefined();
    put("clip-vit-base-patch16/config.json");
    expect(findNetworkFile(folder, "clip")).toBe(join(folder, "clip-vit-base-patch16"));
  });
});
