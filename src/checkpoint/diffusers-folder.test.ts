import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { CheckpointError } from "../torch/index.ts";
import { componentFolder, modelFolder, writeModelIndex } from "./index.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "model-"))));
afterEach(() => rmSync(folder, { recursive: true }));

describe("components", () => {
  it("are found", () => {
    expect(modelFolder(golden("tiny-sd2")).unet).toBe(golden("tiny-sd2/unet"));
    expect(componentFolder(golden("tiny-sd2"), "vae")).toBe(golden("tiny-sd2/vae"));
  });

  it("that are missing are all listed in one error", () => {
    mkdirSync(join(folder, "vae"));
    mkdirSync(join(folder, "unet"));
    writeFileSync(join(folder, "unet", "config.json"), "{}");
    expect(() => modelFolder(folder)).toThrow(CheckpointError);
    expect(() => modelFolder(folder)).toThrow(
      /lacks vae\/config.json, text_encoder\/, tokenizer\/, scheduler\/;/,
    );
    expect(modelFolder(folder, ["unet"]).unet).toBe(join(folder, "unet"));
  });

  it("a tokenizer may be one file, as transformers 5 writes it", () => {
    mkdirSync(join(folder, "tokenizer"));
    expect(() => modelFolder(folder, ["tokenizer"])).toThrow(/lacks tokenizer\/vocab.json;/);
    writeFileSync(join(folder, "tokenizer", "tokenizer.json"), "{}");
    expect(modelFolder(folder, ["tokenizer"]).tokenizer).toBe(join(folder, "tokenizer"));
  });

  it("of another pipeline are refused before anything is missed", () => {
    writeModelIndex(folder, { className: "StableDiffusionXLPipeline" });
    expect(() => modelFolder(folder)).toThrow(
      /model_index.json names what is not supported:\n {2}pipeline StableDiffusionXL/,
    );
  });
});
