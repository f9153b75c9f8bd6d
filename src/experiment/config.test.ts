import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  configToYaml,
  defaultConfig,
  imagesPerPrompt,
  parseConfig,
  resolveGroups,
  resolveModule,
  resolveUnet,
} from "./config.ts";
import { loadConfig, parseOverride } from "./config-file.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "invdiff-config-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a file and gives the message of the error that loading it throws. */
function complaint(yaml: string, overrides: string[] = []): string {
  const file = join(folder, "my.yaml");
  writeFileSync(file, yaml);
  try {
    loadConfig({ file, overrides: overrides.map((text) => parseOverride(text)) });
  } catch (error) {
    expect((error as Error).name).toBe("ConfigError");
    return (error as Error).message.replaceAll(`${folder}/`, "");
  }
  return "";
}

describe("defaults", () => {
  it("are a whole configuration without any file", () => {
    const config = defaultConfig();
    expect(config.data).toEqual({
      kind: "birds",
      train: 4000,
      validation: 1200,
      balance: 0.9,
      resolution: 64,
      ...{ crop: "centre", flip: false, cache: true },
    });
    expect(config.groups).toMatchObject({ method: "inferred", signal: "profile", contrast: "empty-caption" });
    expect(config.guidance).toMatchObject({ form: "difference", strength: 1, lambda: 1 });
    expect(resolveModule(config)).toBe("lora");
    expect(imagesPerPrompt(config)).toBe(256);
    // The reference's protocol for one's own images.
    expect(imagesPerPrompt({ ...config, data: { ...config.data, kind: "folder" } })).toBe(512);
    expect(config.evaluation).toMatchObject({ subjectColumn: "subject", hiddenColumn: "place" });
  });

  it("survive a trip through YAML", () => {
    const config = loadConfig({
      overrides: [parseOverride("guidance.steps=300"), parseOverride("base.ema=0")],
    });
    expect(parseConfig(parse(configToYaml(config)))).toEqual(config);
    expect(config.guidance.steps).toBe(300);
  });

  it("name no columns for a user's folder", () => {
    const config = parseConfig({ data: { kind: "folder", path: folder } });
    expect(config.evaluation.hiddenColumn).toBeUndefined();
    expect(config.evaluation.subjectColumn).toBeUndefined();
  });

  it("take a section without keys as the defaults", () => {
    expect(parseConfig({ base: null })).toEqual(defaultConfig());
  });
});

describe("faults in a file", () => {
  it.each([
    ["base:\n  stepz: 3\n", 'my.yaml:2:3: unknown key "stepz" in "base". Did you mean "steps"?'],
    [
      "base:\n  learning_rate: 3\n",
      'my.yaml:2:3: unknown key "learning_rate" in "base". Did you mean "learningRate"?',
    ],
    [
      "prompts: [a]\n",
      'my.yaml:1:1: unknown key "prompts" in the top level. Did you mean "validation.prompts" or "samples.prompts"?',
    ],
    ["base:\n  steps: many\n", 'my.yaml:2:10: base.steps is "many"; expected a whole number of at least 1.'],
    ["base: { steps: 1.5 }\n", "my.yaml:1:16: base.steps is 1.5; expected a whole number of at least 1."],
    ["base: { steps: 0 }\n", "my.yaml:1:16: base.steps is 0; expected a whole number of at least 1."],
    ["base: 7\n", "my.yaml:1:7: base is 7; expected a section with keys of its own."],
    ["- 1\n", "my.yaml:1:1: the experiment is [1]; expected a section with keys of its own."],
    [
      "groups:\n  timesteps:\n    - 700\n    - -1\n",
      "my.yaml:4:7: groups.timesteps[1] is -1; expected a whole number of at least 0.",
    ],
    [
      "guidance:\n  form: none\n",
      'my.yaml:2:9: guidance.form is "none"; expected one of difference, residual, blend.',
    ],
    ["threads: 0\n", 'my.yaml:1:10: threads is 0; expected "auto" or a whole number from 1 to 1024.'],
    [
      "device: gpu\n",
      'my.yaml:1:9: device is "gpu"; expected "cpu", "cuda" or a numbered device such as "cuda:1".',
    ],
    ["name: a\nname: b\n", "my.yaml:2:1: not valid YAML: Map keys must be unique"],
    [
      "data:\n  kind: folder\n",
      'my.yaml:2:9: data.path is missing; expected a folder of images with captions, or of parquet files, because data.kind is "folder".',
    ],
    [
      "data:\n  path: x\n",
      'my.yaml:2:9: data.path is for your own images, but data.kind is "birds"; set data.kind to "folder".',
    ],
    [
      "data: {kind: folder, path: nowhere}\n",
      "my.yaml:1:28: data.path is nowhere, which does not exist; expected a folder of images with captions, or of parquet files.",
    ],
    [
      "model:\n  path: my.yaml\n",
      "my.yaml:2:9: model.path is my.yaml, which is not a folder; expected a model folder in the diffusers layout.",
    ],
  ])("%j", (yaml, message) => {
    expect(complaint(yaml)).toBe(message);
  });

  it("are listed all at once, in the order of the file", () => {
    const message = complaint("seed: -1\nbase:\n  steps: no\n  x: 1\nthreads: 0\n");
    expect(message.split("\n").map((line) => line.split(": ")[0])).toEqual([
      ...["my.yaml:1:7", "my.yaml:3:10", "my.yaml:4:3", "my.yaml:5:10"],
    ]);
  });

  it("name a file that is not there", () => {
    expect(() => loadConfig({ file: join(folder, "no.yaml") })).toThrow(
      "no.yaml does not exist; expected a YAML file",
    );
  });
});

describe("--set", () => {
  it("replaces values, with YAML syntax, the last one wins", () => {
    const overrides = [
      "groups.timesteps=[900, 985]",
      "base.learningRate=1e-4",
      "seed=1",
      "seed=2",
      "base.skip=false",
    ];
    const config = loadConfig({ overrides: overrides.map((text) => parseOverride(text)) });
    expect(config.groups.timesteps).toEqual([900, 985]);
    expect([config.base.learningRate, config.seed, config.base.skip]).toEqual([1e-4, 2, false]);
  });

  it("is named in faults, instead of the file", () => {
    expect(complaint("base:\n  steps: 3\n", ["base.steps=x"])).toBe(
      '--set base.steps=x: base.steps is "x"; expected a whole number of at least 1.',
    );
    expect(complaint("", ["base.stepz=3"])).toContain(
      '--set base.stepz=3: unknown key "stepz" in "base". Did you mean',
    );
    expect(complaint("seed: 1\n", ["seed.x=3"])).toBe(
      '--set seed.x=3: there is no key "x" below a plain value.',
    );
    expect(complaint("", ["base.steps"])).toContain("expected KEY=VALUE");
    expect(complaint("", ["base.steps=[1"])).toContain("--set base.steps=[1: the value is not valid YAML");
  });
});

describe("paths", () => {
  it("in a file are relative to it", () => {
    mkdirSync(join(folder, "images"), { recursive: true });
    const file = join(folder, "paths.yaml");
    writeFileSync(file, "data:\n  kind: folder\n  path: images\n");
    expect(loadConfig({ file }).data.path).toBe(join(folder, "images"));
  });
});

describe("what follows from a configuration", () => {
  it("method reference means the reference's signal and solver", () => {
    const groups = (method: string) => resolveGroups(parseConfig({ groups: { method } }));
    expect(groups("inferred")).toEqual({ signal: "profile", solver: "mixture" });
    expect(groups("reference")).toEqual({ signal: "reference", solver: "spread" });
    expect(groups("oracle")).toBeUndefined();
  });

  it("a model folder without U-Net weights starts from scratch", () => {
    const model = join(folder, "model");
    mkdirSync(join(model, "unet"), { recursive: true });
    writeFileSync(join(model, "unet", "config.json"), "{}");
    const config = parseConfig({ model: { path: model } });
    expect(resolveUnet(config)).toBe("scratch");
    writeFileSync(join(model, "unet", "diffusion_pytorch_model.safetensors"), "");
    expect(resolveUnet(config)).toBe("pretrained");
    expect(resolveUnet({ ...config, model: { path: model, unet: "scratch" } })).toBe("scratch");
  });
});
