import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { golden } from "../../../test/golden-dir.ts";
import { CheckpointError, tensorCount, tensor } from "../../torch/index.ts";
import { readSafetensorsHeader, writeSafetensors, writeWeights } from "../index.ts";
import { type FolderInfo, inspectPath, scalarsByDtype, type TensorFile } from "./index.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "inspect-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const file = (name: string) => inspectPath(name) as TensorFile;

describe("a file", () => {
  it("of safetensors: names, dtypes, shapes, bytes, metadata, and no tensor is made", () => {
    const path = join(folder, "x.safetensors");
    const values = {
      a: tensor([[1, 2, 3]], { dtype: "float16" }),
      b: tensor([7], { dtype: "int64", shape: [] }),
      empty: tensor([], { shape: [0, 4] }),
    };
    writeSafetensors(path, values, { format: "pt", step: "7" });
    const before = tensorCount();
    const found = file(path);
    expect(tensorCount()).toBe(before);
    expect(found).toMatchObject({ kind: "safetensors", metadata: { format: "pt", step: "7" } });
    expect([...found.tensors].sort((x, y) => (x.name < y.name ? -1 : 1))).toEqual([
      { name: "a", dtype: "float16", shape: [1, 3], bytes: 6 },
      { name: "b", dtype: "int64", shape: [], bytes: 8 },
      { name: "empty", dtype: "float32", shape: [0, 4], bytes: 0 },
    ]);
    expect([...scalarsByDtype(found.tensors)].sort()).toEqual([
      ["float16", 3],
      ["float32", 0],
      ["int64", 1],
    ]);
  });

  it("of shards: all tensors of all files, as one", () => {
    const tensors = new Map(["a", "b", "c"].map((name) => [name, tensor([1, 2, 3, 4])]));
    writeWeights(folder, "model", tensors, { maxShardBytes: 16 });
    const found = file(join(folder, "model.safetensors.index.json"));
    expect(found.kind).toBe("shards");
    expect(found.files).toHaveLength(3);
    expect(found.tensors.map(({ name }) => name).sort()).toEqual(["a", "b", "c"]);
    // In the folder, the shards are not listed again.
    expect((inspectPath(folder) as FolderInfo).items).toHaveLength(1);
  });

  it("that is a pickle: its tensors, its other content, and what it would run", () => {
    expect(file(golden("reference-files/samples_t.pkl")).tensors).toHaveLength(8);
    const path = join(folder, "evil.pkl");
    // protocol 0: posix.system("true")
    writeFileSync(path, "cposix\nsystem\n(Vtrue\ntR.");
    const { pickle, tensors } = file(path);
    expect(tensors).toEqual([]);
    expect(pickle!.globals).toEqual(["posix.system (refused)"]);
  });

  it("that is none is refused with what is expected", () => {
    writeFileSync(join(folder, "letter.txt"), "dear");
    expect(() => inspectPath(join(folder, "letter.txt"))).toThrow(CheckpointError);
    expect(() => inspectPath(join(folder, "letter.txt"))).toThrow(
      /no file of tensors; expected \.safetensors/,
    );
    expect(() => inspectPath(join(folder, "no"))).toThrow(/does not exist/);
    expect(() => inspectPath(folder)).toThrow(/holds no model/);
  });
});

describe("a folder", () => {
  it("of a whole model shows its components with their classes and weights", () => {
    const found = inspectPath(golden("tiny-sd1")) as FolderInfo;
    expect(found.what).toBe("StableDiffusionPipeline");
    const parts = found.items as FolderInfo[];
    expect(parts.map(({ what }) => what)).toEqual([
      "PNDMScheduler",
      "CLIPTextModel",
      "CLIPTokenizer",
      "UNet2DConditionModel",
      "AutoencoderKL",
    ]);
    const unet = parts[3]!.items[0] as TensorFile;
    const { tensors } = readSafetensorsHeader(golden("tiny-sd1/unet/diffusion_pytorch_model.safetensors"));
    expect(new Set(unet.tensors.map(({ name }) => name))).toEqual(new Set(tensors.keys()));
    expect(parts[3]!.config).toMatchObject({ cross_attention_dim: 24 });
  });

  it("shows a broken file with its reason beside the whole ones", () => {
    writeSafetensors(join(folder, "a.safetensors"), { a: tensor([1, 2, 3, 4]) });
    writeSafetensors(join(folder, "b.safetensors"), { b: tensor([1]) });
    truncateSync(join(folder, "a.safetensors"), 80);
    mkdirSync(join(folder, "unet"));
    writeFileSync(join(folder, "unet", "config.json"), "{");
    const { items } = inspectPath(folder) as FolderInfo;
    expect(items.map(({ kind }) => kind)).toEqual(["broken", "safetensors", "folder"]);
    expect(items[0]).toMatchObject({ error: expect.stringMatching(/a\.safetensors.*cut off/) });
    expect((items[2] as FolderInfo).items[0]).toMatchObject({
      kind: "broken",
      error: expect.stringMatching(/config\.json is not valid JSON/),
    });
  });
});
