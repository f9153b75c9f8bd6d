// Broken model folders, broken pictures, and an --out with results of other settings: said clearly, nothing lost.
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultConfig, modelFolderOf } from "../../src/experiment/index.ts";
import { birdFolder, differingFiles, filesBelow, readJson, writeRows } from "../tiny-experiment.ts";
import { runCli } from "./cli.ts";

const SHIPPED = modelFolderOf(defaultConfig());
const WEIGHTS = "diffusion_pytorch_model.safetensors";
let folder = "";
let rows: Record<string, unknown>[] = [];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "invdiff-broken-"));
  rows = await birdFolder(join(folder, "images"), 16);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const quick = ["--set", "threads=1", "--set", "base.batchSize=4", "--set", "base.warmup=0"];
const finetune = (out: string, ...more: string[]) =>
  runCli(["finetune", "--data", "images", "--out", out, ...quick, "--set", "base.steps=1", ...more], {
    cwd: folder,
  });

/** Runs fine-tuning that must fail as the user's mistake; gives what it said last. */
async function mistake(out: string, ...more: string[]): Promise<string> {
  const { code, stdout, stderr } = await finetune(out, ...more);
  expect({ code, stdout, stderr }).toMatchObject({ code: 1, stdout: "" });
  expect(stderr).not.toMatch(/\n\s+at /);
  return stderr.slice(stderr.indexOf("error:"));
}

describe("a model folder", () => {
  const model = (name: string): string => {
    cpSync(SHIPPED, join(folder, name), { recursive: true });
    return join(folder, name);
  };

  it("without the weights of its autoencoder is named, with what is expected", async () => {
    rmSync(join(model("no-vae"), "vae", WEIGHTS));
    const said = await mistake("out-vae", "--model", "no-vae");
    expect(said).toContain(join("no-vae", "vae"));
    expect(said).toContain("safetensors");
  });

  it("without its tokenizer is named", async () => {
    rmSync(join(model("no-tokenizer"), "tokenizer"), { recursive: true });
    expect(await mistake("out-tokenizer", "--model", "no-tokenizer")).toMatch(/no-tokenizer.*tokenizer/);
  });

  it("with a cut-off file is named", async () => {
    const file = join(model("cut"), "vae", WEIGHTS);
    truncateSync(file, Math.floor(statSync(file).size / 2));
    expect(await mistake("out-cut", "--model", "cut")).toContain(join("cut", "vae", WEIGHTS));
  });

  it("with a broken config.json is named", async () => {
    writeFileSync(join(model("json"), "vae", "config.json"), "{");
    expect(await mistake("out-json", "--model", "json")).toContain(join("json", "vae", "config.json"));
  });
});

describe("pictures", () => {
  it("that end too early are named; mended, the same command goes on", async () => {
    const file = join(folder, "images", "train", String(rows[5]!["file_name"]));
    const whole = readFileSync(file);
    writeFileSync(file, whole.subarray(0, whole.length / 2));
    expect(await mistake("out-mended")).toContain(`${file} cannot be read as an image`);
    writeFileSync(file, whole);
    expect((await finetune("out-mended")).code).toBe(0);
    expect(readJson(folder, "out-mended", "base", "manifest.json")).toMatchObject({ stage: "base" });
  });

  it("without a file, or with an empty caption, are named by their line", async () => {
    const train = join(folder, "images", "train");
    writeRows(train, [...rows, { file_name: "gone.png", text: "a bird" }]);
    expect(await mistake("out-gone")).toContain(`metadata.jsonl, line 17: there is no image file`);
    writeRows(train, [...rows.slice(0, 15), { ...rows[15], text: " " }]);
    expect(await mistake("out-gone")).toContain("metadata.jsonl, line 16: the caption of");
    writeRows(train, rows);
  });
});

describe("--out with results of other settings", () => {
  it("is refused with what differs and left as it is; --force replaces it", async () => {
    expect((await finetune("out")).code).toBe(0);
    const results = () => filesBelow(join(folder, "out"));
    const before = results();
    const said = await mistake("out", "--set", "base.learningRate=0.5");
    expect(said).toContain("Stage base is finished here with other inputs (old -> new):");
    expect(said).toContain("base.learningRate: 0.001 -> 0.5");
    expect(said).toContain("replace the old results (--force)");
    expect(differingFiles(before, results())).toEqual([]);
    // The next stage does not read a base of other settings, nor does its --force replace it.
    const next = ["infer-groups", "--out", "out", "--set", "base.learningRate=0.5", "--force"];
    const refused = await runCli(next, { cwd: folder });
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("The command: invdiff finetune --out out --force");
    expect(differingFiles(before, results())).toEqual([]);
    const forced = await finetune("out", "--set", "base.learningRate=0.5", "--force");
    expect(forced.code).toBe(0);
    expect(forced.stderr).toMatch(/latents: reused .*\nbase: started/);
    expect(readJson(folder, "out", "base", "manifest.json")).toMatchObject({
      inputs: { base: { learningRate: 0.5 } },
    });
  });
});
