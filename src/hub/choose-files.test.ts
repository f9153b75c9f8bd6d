// Which files of a repository are taken: weights in one form, data sets that can be opened, patterns as in Python.
import { describe, expect, it } from "vitest";
import { datasetFiles } from "./dataset-files.ts";
import { isForeignPipeline, modelFiles } from "./model-files.ts";
import { foldedName, isRepoName, unsafePath } from "./names.ts";
import { matcher } from "./patterns.ts";

const files = (...paths: string[]) => paths.map((path) => ({ path, size: 1 }));
const taken = (paths: readonly string[], variant?: string) =>
  modelFiles(files(...paths), { variant })
    .map(({ path }) => path)
    .sort();

/** As CompVis/stable-diffusion-v1-4 is laid out. */
const SD = [
  ...[".gitattributes", "README.md", "model_index.json", "v1-variants_scores.jpg", "sd-v1-4.ckpt"],
  ...[
    "feature_extractor/preprocessor_config.json",
    "safety_checker/config.json",
    "safety_checker/model.safetensors",
  ],
  ...[
    "scheduler/scheduler_config.json",
    "tokenizer/merges.txt",
    "tokenizer/vocab.json",
    "tokenizer/tokenizer_config.json",
  ],
  ...["text_encoder", "unet", "vae"].flatMap((part) => {
    const base =
      part === "text_encoder"
        ? ["model", "pytorch_model"]
        : ["diffusion_pytorch_model", "diffusion_pytorch_model"];
    const weights = ["", ".fp16", ".non_ema"].flatMap((variant) => [
      `${base[0]}${variant}.safetensors`,
      `${base[1]}${variant}.bin`,
    ]);
    return ["config.json", "flax_model.msgpack", "model.onnx", ...weights].map((name) => `${part}/${name}`);
  }),
];
const SMALL = [
  ...[
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "tokenizer/merges.txt",
  ],
  ...["tokenizer/tokenizer_config.json", "tokenizer/vocab.json", "unet/config.json", "vae/config.json"],
];
const weightsOf = (variant: string, ending = "safetensors") => [
  `text_encoder/${ending === "bin" ? "pytorch_model" : "model"}${variant}.${ending}`,
  ...["unet", "vae"].map((part) => `${part}/diffusion_pytorch_model${variant}.${ending}`),
];

describe("a pipeline", () => {
  it("is its five parts with one set of weights, safetensors before pickles", () => {
    expect(taken(SD)).toEqual([...SMALL, ...weightsOf("")].sort());
    expect(taken(SD.filter((path) => !path.endsWith(".safetensors")))).toEqual(
      [...SMALL, ...weightsOf("", "bin")].sort(),
    );
  });

  it("takes a variant where a folder has it, and the plain weights elsewhere", () => {
    expect(taken(SD, "fp16")).toEqual([...SMALL, ...weightsOf(".fp16")].sort());
    const partly = SD.filter((path) => !path.startsWith("vae/") || !path.includes("fp16"));
    expect(taken(partly, "fp16")).toContain("vae/diffusion_pytorch_model.safetensors");
    expect(() => taken(SD, "bf16")).toThrow(
      /No weights of the variant "bf16".*--variant fp16 or --variant non_ema/,
    );
    const only = SD.filter((path) => !/^unet\/.*model\.(safetensors|bin)$/.test(path));
    expect(() => taken(only)).toThrow(/unet\/ has weights of variants only.*--variant fp16/);
    expect(() => taken(SD, "../x")).toThrow(/cannot be part of a file name/);
  });

  it("takes shards with their index in every spelling of diffusers", () => {
    const shards = (names: string[], variant?: string) =>
      taken(["model_index.json", "unet/config.json", ...names.map((name) => `unet/${name}`)], variant).filter(
        (path) => path.includes("model."),
      );
    const now = [
      "diffusion_pytorch_model.safetensors.index.json",
      "diffusion_pytorch_model-00001-of-00002.safetensors",
    ];
    const fp16 = [
      ...[
        "diffusion_pytorch_model.safetensors.index.fp16.json",
        "diffusion_pytorch_model.fp16-00001-of-00002.safetensors",
      ],
      ...[
        "diffusion_pytorch_model.fp16.safetensors.index.json",
        "diffusion_pytorch_model-00001-of-00002.fp16.safetensors",
      ],
      "diffusion_pytorch_model.safetensors.fp16.index.json",
    ];
    expect(shards([...now, ...fp16]).length).toBe(1);
    expect(taken(["model_index.json", ...[...now, ...fp16].map((name) => `unet/${name}`)])).toEqual(
      ["model_index.json", ...now.map((name) => `unet/${name}`)].sort(),
    );
  });

  it("of another kind is recognised", () => {
    expect(isForeignPipeline(files(...SD))).toBe(false);
    expect(isForeignPipeline(files("model_index.json", "text_encoder_2/model.safetensors"))).toBe(true);
    expect(isForeignPipeline(files("model_index.json", "transformer/config.json"))).toBe(true);
  });
});

describe("a single model", () => {
  it("is what is at the top", () => {
    const clip = ["config.json", "merges.txt", "preprocessor_config.json", "tokenizer.json", "vocab.json"];
    const other = ["README.md", "flax_model.msgpack", "tf_model.h5", "onnx/model.onnx", "pytorch_model.bin"];
    expect(taken([...clip, ...other])).toEqual([...clip, "pytorch_model.bin"].sort());
    expect(taken([...clip, ...other, "model.safetensors"])).toEqual([...clip, "model.safetensors"].sort());
  });

  it("without weights is refused with what is there", () => {
    expect(() => taken(["a.ckpt", "README.md"])).toThrow(/no weights.*a\.ckpt, README\.md.*--include/);
    expect(() => taken([])).toThrow(/holds nothing/);
  });
});

describe("a data set", () => {
  const chosen = (...paths: string[]) => datasetFiles(files(...paths)).map(({ path }) => path);

  it("is its parquet shards, or pictures with captions and metadata", () => {
    const shards = ["data/test-0.parquet", "data/train-00000-of-00002.parquet"];
    expect(chosen(...shards, "README.md", "load.py", "a.png")).toEqual(shards);
    const folder = [
      "train/0001.jpg",
      "train/0001.txt",
      "train/b.PNG",
      "train/metadata.jsonl",
      "metadata.parquet",
      "metadata.csv",
    ];
    expect(chosen("README.md", "LICENSE.txt", ".gitattributes", "images.zip", ...folder)).toEqual(folder);
  });

  it("without either is refused, with the parquet copy named", () => {
    expect(() => chosen("data.zip", "notes.txt")).toThrow(
      /neither parquet files nor pictures.*data\.zip.*refs\/convert\/parquet/,
    );
  });
});

describe("patterns", () => {
  // python3 -c "from fnmatch import fnmatchcase as f; print(f(path, pattern))"
  it.each([
    ["*.json", "a/b.json", true],
    ["*.json", "a.jsonl", false],
    ["unet/*", "unet/x/y", true],
    ["unet/", "unet/x", true],
    ["unet/", "unet", false],
    ["a?c", "abc", true],
    ["a?c", "ac", false],
    ["[a-c]x", "bx", true],
    ["[!a-c]x", "bx", false],
    ["[!a-c]x", "dx", true],
    ["[]]x", "]x", true],
    ["[x", "[x", true],
    ["a.b+c(d)", "a.b+c(d)", true],
    ["a.b", "aXb", false],
    ["*", ".hidden/x", true],
    ["A*", "abc", false],
  ])("%s with %s: %s", (pattern, path, expected) => {
    expect(matcher([pattern])(path)).toBe(expected);
  });

  it("match if one does, and none matches nothing", () => {
    expect(matcher(["x", "y*"])("yes")).toBe(true);
    expect(matcher([])("x")).toBe(false);
  });
});

describe("names", () => {
  it.each(["a/b", "CompVis/stable-diffusion-v1-4", "a.b/c_d-e"])("%s is a repository", (name) => {
    expect(isRepoName(name)).toBe(true);
  });
  it.each(["a", "a/b/c", "../b", "a/..", "a--b/c", "/a", "a/", "a b/c", "a/b.git", "-a/b", "a\\b/c"])(
    "%s is none",
    (name) => {
      expect(isRepoName(name)).toBe(false);
    },
  );
  it("fold to one spelling", () => {
    expect(foldedName("E\u0301X/Y")).toBe(foldedName("\u00e9x/y"));
    expect(unsafePath("a/b c/ü.txt")).toBeUndefined();
  });
});
