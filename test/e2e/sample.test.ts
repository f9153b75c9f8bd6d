// `invdiff sample` as a user meets it: the golden image, resuming, interruption, and what it refuses.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readSafetensors } from "../../src/checkpoint/index.ts";
import { makeGuidance } from "../../src/experiment/stages/guidance-model.ts";
import { loadUnet } from "../../src/models/index.ts";
import { noGrad, scope } from "../../src/torch/index.ts";
import { golden } from "../golden-dir.ts";
import { pipelineRuns } from "../pipeline-runs.ts";
import { filesBelow } from "../tiny-experiment.ts";
import { Cli, runCli } from "./cli.ts";

let root = "";
beforeAll(() => void (root = mkdtempSync(join(tmpdir(), "invdiff-sample-"))));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const MODEL = golden("tiny-sd1");
const sample = (out: string, ...more: string[]) =>
  runCli(["sample", "--model", MODEL, "--out", join(root, out), ...more]);
const QUICK = ["--prompt", "a photo of a man", "--prompt", "A bird?", "--num", "3", "--steps", "2"];

interface Line {
  file: string;
  prompt: string;
  seed: number;
  settings: Record<string, unknown>;
  modelHash: string;
  guidanceHash?: string;
}
const manifest = (out: string): Line[] =>
  readFileSync(join(root, out, "manifest.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
const pngs = (out: string) =>
  readdirSync(join(root, out)).filter((name) => name.endsWith(".png") && name !== "grid.png");

describe("images", () => {
  it("equal those of Python's pipeline within two levels: tiny-sd1, PNDM", async () => {
    const [run] = pipelineRuns("sd1");
    const { key, scheduler, steps, guidance_scale: scale, seeds, prompts } = run!;
    const { code, stdout } = await sample(
      "golden",
      ...prompts.flatMap((prompt) => ["--prompt", prompt]),
      ...["--seed", String(seeds[0]), "--steps", String(steps), "--scheduler", scheduler],
      ...["--guidance-scale", String(scale)],
    );
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining("Made 2 images") });
    expect(manifest("golden").map(({ seed }) => seed)).toEqual(seeds);
    const expected = readSafetensors(golden("pipeline-sd1.safetensors")).get(`${key}.images_u8`)!;
    for (const [i, { file }] of manifest("golden").entries()) {
      const pixels = await sharp(join(root, "golden", file))
        .raw()
        .toBuffer();
      const wanted = scope(() => expected.select(0, i).contiguous().toArray());
      expect(pixels).toHaveLength(wanted.length);
      expect(Math.max(...pixels.map((value, j) => Math.abs(value - Number(wanted[j]))))).toBeLessThanOrEqual(
        2,
      );
    }
  });

  it("have a name by prompt and index, a line each with all that made them, and a grid", async () => {
    const { code } = await sample("named", ...QUICK, "--batch-size", "4");
    expect(code).toBe(0);
    expect(pngs("named").sort()).toEqual(
      ["0-a-photo-of-a-man", "1-a-bird"].flatMap((name) => [0, 1, 2].map((i) => `${name}-000${i}.png`)),
    );
    const lines = manifest("named");
    expect(lines.map(({ prompt, seed }) => [prompt, seed])).toEqual([
      ...[0, 1, 2].map((seed) => ["a photo of a man", seed]),
      ...[3, 4, 5].map((seed) => ["A bird?", seed]),
    ]);
    expect(lines[0]).toMatchObject({
      settings: {
        steps: 2,
        guidanceScale: 7.5,
        scheduler: "PNDMScheduler",
        height: 64,
        width: 64,
        dtype: "float32",
      },
      modelHash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const { width, height } = await sharp(join(root, "named", "grid.png")).metadata();
    expect([width, height]).toEqual([3 * 256 + 2 * 4, 2 * 256 + 4]);
  });

  it("take size, negative prompt and prompts from a file", async () => {
    const file = join(root, "prompts.txt");
    writeFileSync(file, "\uFEFFa doctor\n\n  a nurse \r\n");
    const more = ["--height", "32", "--width", "48", "--negative-prompt", "a man", "--steps", "1"];
    expect((await sample("sized", "--prompts", file, ...more)).code).toBe(0);
    expect(manifest("sized").map(({ prompt }) => prompt)).toEqual(["a doctor", "a nurse"]);
    const { width, height } = await sharp(join(root, "sized", pngs("sized")[0]!)).metadata();
    expect([width, height]).toEqual([48, 32]);
  });
});

describe("the same command again", () => {
  it("keeps valid images, and makes missing and damaged ones again, the same", async () => {
    expect((await sample("again", ...QUICK)).code).toBe(0);
    const before = filesBelow(join(root, "again"));
    const nothing = await sample("again", ...QUICK);
    expect(nothing.stdout).toContain("Made 0 images, 6 were there already");
    const [first, second] = pngs("again").sort();
    rmSync(join(root, "again", first!));
    truncateSync(join(root, "again", second!), 100);
    const mended = await sample("again", ...QUICK);
    expect(mended.stdout).toMatch(/Made 2 images .*, 4 were there already/);
    expect(filesBelow(join(root, "again"))).toEqual(before);
  });

  it("with other settings is refused with what differs; --force replaces", async () => {
    expect((await sample("other", ...QUICK)).code).toBe(0);
    const before = filesBelow(join(root, "other"));
    const refused = await sample("other", ...QUICK, "--scheduler", "ddim");
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/settings\.scheduler: "PNDMScheduler" -> "DDIMScheduler"[^]*--force/);
    expect(filesBelow(join(root, "other"))).toEqual(before);
    expect((await sample("other", ...QUICK, "--scheduler", "ddim", "--force")).code).toBe(0);
    expect(manifest("other").every(({ settings }) => settings["scheduler"] === "DDIMScheduler")).toBe(true);
    expect(manifest("other")).toHaveLength(6);
  });

  it("after Ctrl-C goes on to the same images", async () => {
    const options = ["--prompt", "a photo of a man", "--num", "8", "--steps", "20"];
    expect((await sample("whole", ...options)).code).toBe(0);
    const cli = new Cli(["sample", "--model", MODEL, "--out", join(root, "stopped"), ...options]);
    await cli.waitFor(/sampling [1-7]/);
    cli.send();
    const { code, stderr } = await cli.end();
    expect(code).toBe(130);
    expect(stderr).toContain("run the same command again");
    const kept = pngs("stopped").length;
    expect(kept).toBeGreaterThanOrEqual(1);
    expect(kept).toBeLessThan(8);
    const resumed = await sample("stopped", ...options);
    expect(resumed.stdout).toContain(`${kept} were there already`);
    expect(filesBelow(join(root, "stopped"))).toEqual(filesBelow(join(root, "whole")));
  });
});

describe("guidance", () => {
  it("of strength 0 is the base, of more it is not, and its hash is in the manifest", async () => {
    const dir = join(root, "guidance");
    mkdirSync(dir);
    using base = loadUnet(join(MODEL, "unet"));
    const settings = { form: "difference", module: "lora", rank: 2, strength: 1, ratio: 0.5 } as const;
    using guidance = makeGuidance(base, settings, 0);
    noGrad(() => scope(() => [...guidance.weights.values()].forEach((weight) => weight.add_(0.05))));
    guidance.save(dir);
    const run = async (out: string, ...more: string[]) => {
      const { code, stderr } = await sample(out, "--prompt", "a bird", "--steps", "2", ...more);
      expect(code, stderr).toBe(0);
      return readFileSync(join(root, out, pngs(out)[0]!));
    };
    const plain = await run("plain");
    expect(await run("zero", "--guidance", dir, "--strength", "0")).toEqual(plain);
    const guided = await run("guided", "--guidance", dir);
    expect(guided).not.toEqual(plain);
    expect(await run("half", "--guidance", dir, "--strength", "0.5")).not.toEqual(guided);
    expect(manifest("guided")[0]).toMatchObject({ settings: { strength: 1 } });
    expect(manifest("guided")[0]!.guidanceHash).toMatch(/^[0-9a-f]{64}$/);
    expect(manifest("guided")[0]!.modelHash).toBe(manifest("plain")[0]!.modelHash);
    // The same adapters as a plain LoRA file.
    expect(await run("lora", "--guidance", join(dir, "lora.safetensors"))).toEqual(guided);
  });
});

describe("mistakes are said clearly, and leave nothing behind", () => {
  const cases: [string, string[], RegExp][] = [
    ["no prompt", ["--model", MODEL], /give --prompt TEXT or --prompts FILE/],
    ["no model", ["--prompt", "a"], /needs --model DIR/],
    ["a missing model", ["--model", "nowhere", "--prompt", "a"], /Model folder nowhere does not exist/],
    ["a missing file of prompts", ["--model", MODEL, "--prompts", "no.txt"], /no\.txt does not exist/],
    [
      "an unknown scheduler",
      ["--model", MODEL, "--prompt", "a", "--scheduler", "lms"],
      /choices are ddim, ddpm, pndm/,
    ],
    ["an odd size", ["--model", MODEL, "--prompt", "a", "--height", "33"], /--height 33 is no multiple of 8/],
    [
      "no such guidance",
      ["--model", MODEL, "--prompt", "a", "--guidance", "no"],
      /Guidance no does not exist/,
    ],
    [
      "strength alone",
      ["--model", MODEL, "--prompt", "a", "--strength", "1"],
      /--strength 1 belongs to a guidance/,
    ],
    [
      "options of the other kind of sampling",
      ["--model", MODEL, "--prompt", "a", "--set", "seed=1"],
      /--set belongs to the sampling stage/,
    ],
    ["sampling options without a prompt", ["--scheduler", "euler"], /--scheduler needs --prompt/],
    [
      "an option without effect",
      ["--model", MODEL, "--prompt", "a", "--eta", "1"],
      /--eta 1 is an option of ddim; PNDMScheduler has none/,
    ],
    [
      "an absent GPU",
      ["--model", MODEL, "--prompt", "a", "--device", "cuda:9"],
      /device is cuda:9, but libtorch sees/,
    ],
  ];

  it.each(cases)("%s", async (_name, args, message) => {
    const { code, stdout, stderr } = await runCli(["sample", ...args, "--out", join(root, "none")]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(readdirSync(root)).not.toContain("none");
  });

  it("a folder with other files", async () => {
    mkdirSync(join(root, "mine"));
    writeFileSync(join(root, "mine", "letter.txt"), "dear");
    const { code, stderr } = await sample("mine", ...QUICK);
    expect(code).toBe(1);
    expect(stderr).toMatch(/holds other files \(letter\.txt\)/);
    expect(readdirSync(join(root, "mine"))).toEqual(["letter.txt"]);
  });
});
