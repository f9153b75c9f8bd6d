// CLIP's folder in its old forms, and what is said about wrong ones.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { settledTensorCount } from "../../test/settled.ts";
import { readSafetensors, writeSafetensors } from "../checkpoint/index.ts";
import { clipImageOptions } from "../data/index.ts";
import { arange, CheckpointError, noGrad, scope, tensor, tensorCount } from "../torch/index.ts";
import { loadClip, loadClipImageOptions } from "./index.ts";

let dir = "";
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), "clip-"))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const source = golden("tiny-clip");
const config = JSON.parse(readFileSync(join(source, "config.json"), "utf8")) as Record<string, object>;
const write = (name: string, value: object) => writeFileSync(join(dir, name), JSON.stringify(value));

/** The golden's weights with some more keys, or without one. */
function writeWeights({ buffers = false, without = "" }: { buffers?: boolean; without?: string }): void {
  scope(() => {
    const tensors = readSafetensors(join(source, "model.safetensors"));
    if (buffers) {
      tensors.set("text_model.embeddings.position_ids", arange(77).unsqueeze(0));
      tensors.set("vision_model.embeddings.position_ids", arange(50).unsqueeze(0));
    }
    tensors.get(without)?.dispose();
    tensors.delete(without);
    writeSafetensors(join(dir, "model.safetensors"), tensors);
    for (const value of tensors.values()) value.dispose();
  });
}

describe("loadClip", () => {
  it("reads files of 2022: position_ids, text_config_dict, numbers for sizes", () => {
    writeWeights({ buffers: true });
    const { text_config, vision_config, ...rest } = config;
    write("config.json", {
      ...rest,
      text_config: {},
      text_config_dict: { ...text_config, id2label: { "0": "LABEL_0" }, num_beams: 1, bad_words_ids: null },
      vision_config: null,
      vision_config_dict: vision_config,
      transformers_version: null,
    });
    write("preprocessor_config.json", {
      feature_extractor_type: "CLIPFeatureExtractor",
      size: 224,
      crop_size: 224,
    });
    using old = loadClip(dir);
    using today = loadClip(source);
    expect(old.config).toEqual(today.config);
    noGrad(() =>
      scope(() => {
        const ids = tensor([[693, 3, 694]], { dtype: "int64" });
        expect(old.textEmbeds(ids).toNumbers()).toEqual(today.textEmbeds(ids).toNumbers());
      }),
    );
    expect(loadClipImageOptions(dir)).toEqual(loadClipImageOptions(source));
    expect(loadClipImageOptions(dir)).toEqual(clipImageOptions());
  });

  it("names what is missing, and leaves nothing allocated", () => {
    const count = settledTensorCount();
    writeWeights({ without: "vision_model.pre_layrnorm.weight" });
    write("config.json", config);
    expect(() => loadClip(dir)).toThrow(CheckpointError);
    expect(() => loadClip(dir)).toThrow(/clip-[^]*missing[^]*vision_model\.pre_layrnorm\.weight/);
    expect(tensorCount()).toBe(count);
  });

  it("refuses another model's folder", () => {
    expect(() => loadClip(golden("tiny-sd1/text_encoder"))).toThrow(/CLIPTextModel[^]*CLIPModel/);
  });
});
