import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { readModelIndex } from "../checkpoint/index.ts";
import type { SaveOptions } from "../models/index.ts";
import { loadScheduler } from "../schedulers/index.ts";
import { CheckpointError } from "../torch/index.ts";
import { type LoadedParts, loadPipeline, type LoadPipelineOptions, saveModelFolder } from "./index.ts";

let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), "pipeline-"))));
afterEach(() => rmSync(dir, { recursive: true }));

const dispose = ({ unet, vae, textEncoder }: LoadedParts) =>
  [unet, vae, textEncoder].forEach((model) => model[Symbol.dispose]());

/** Final latents and images of two short prompts. */
async function sampled(folder: string, options: LoadPipelineOptions = {}): Promise<number[][]> {
  const pipeline = loadPipeline(folder, { scheduler: "ddim", ...options });
  const what = { prompts: ["a photo of a nurse", "water"], seeds: [1, 2], steps: 2 };
  const { latents, images } = await pipeline.generate(what);
  const numbers = [latents.toNumbers(), images!.toNumbers()];
  latents.dispose();
  images!.dispose();
  dispose(pipeline.parts);
  return numbers;
}

function save(source: string, options: SaveOptions = {}, tokenizer = join(source, "tokenizer")): void {
  const { parts } = loadPipeline(source, { scheduler: "ddim" });
  saveModelFolder(
    dir,
    { ...parts, tokenizer, scheduler: loadScheduler(join(source, "scheduler"), { as: "ddim" }) },
    options,
  );
  dispose(parts);
}

describe("a whole pipeline", () => {
  it.each(["tiny-sd1", "tiny-sd2"])("%s, saved and loaded again, makes the same images", async (name) => {
    save(golden(name));
    expect(await sampled(dir)).toEqual(await sampled(golden(name)));
    expect(readModelIndex(dir).components).toEqual({
      ...readModelIndex(golden(name)).components,
      scheduler: ["diffusers", "DDIMScheduler"],
    });
    for (const file of ["vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"])
      expect(readFileSync(join(dir, "tokenizer", file))).toEqual(
        readFileSync(golden(`${name}/tokenizer/${file}`)),
      );
  });

  it("in shards and as a variant beside the plain one is the same too", async () => {
    save(golden("tiny-sd2"), { maxShardBytes: 100_000 });
    save(golden("tiny-sd2"), { variant: "fp16", dtype: "float16" });
    expect(existsSync(join(dir, "unet/diffusion_pytorch_model.safetensors.index.json"))).toBe(true);
    expect(existsSync(join(dir, "text_encoder/model.fp16.safetensors"))).toBe(true);
    const plain = await sampled(golden("tiny-sd2"));
    expect(await sampled(dir)).toEqual(plain);
    const [half] = await sampled(dir, { variant: "fp16", dtype: "float32" });
    const norm = (values: number[]) => Math.hypot(...values);
    const error = norm(half!.map((value, i) => value - plain[0]![i]!)) / norm(plain[0]!);
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThan(0.02); // half precision keeps 11 bits of each weight
  });

  it("takes over one tokenizer, not parts of two", () => {
    save(golden("tiny-sd1"));
    expect(existsSync(join(dir, "tokenizer/vocab.json"))).toBe(true);
    const model = {
      type: "BPE",
      end_of_word_suffix: "</w>",
      vocab: JSON.parse(readFileSync(golden("tiny-sd1/tokenizer/vocab.json"), "utf8")) as object,
      merges: [],
    };
    const source = mkdtempSync(join(tmpdir(), "one-file-"));
    writeFileSync(join(source, "tokenizer.json"), JSON.stringify({ model }));
    save(golden("tiny-sd1"), {}, source);
    rmSync(source, { recursive: true });
    expect(existsSync(join(dir, "tokenizer/tokenizer.json"))).toBe(true);
    expect(existsSync(join(dir, "tokenizer/vocab.json"))).toBe(false);
    // Saved over itself, it stays.
    save(golden("tiny-sd1"), {}, join(dir, "tokenizer"));
    expect(existsSync(join(dir, "tokenizer/tokenizer.json"))).toBe(true);
  });

  it("without a tokenizer is refused before anything is written", () => {
    expect(() => save(golden("tiny-sd1"), {}, golden("tiny-sd1/unet"))).toThrow(CheckpointError);
    expect(() => save(golden("tiny-sd1"), {}, golden("tiny-sd1/unet"))).toThrow(
      /unet is no tokenizer's folder/,
    );
    expect(existsSync(join(dir, "unet"))).toBe(false);
  });
});
