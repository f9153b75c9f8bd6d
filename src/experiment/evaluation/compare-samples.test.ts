// Finished images of several models in one table: what is written against what the metrics say of the same pictures.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { CONFUSION, writeClassifierFolder } from "../../../test/classifier-folder.ts";
import {
  picturesOf,
  writeManifestFolder,
  writePromptFolders,
  writeStageFolder,
} from "../../../test/evaluation-parts.ts";
import { golden } from "../../../test/golden-dir.ts";
import { settledTensorCount } from "../../../test/settled.ts";
import { savePng } from "../../data/index.ts";
import {
  biasEstimate,
  clipImageFeatures,
  clipScores,
  correctedBias,
  countLabels,
  frechetDistance,
  pairedBias,
} from "../../metrics/index.ts";
import { DataError, scope, type Tensor, tensorCount, UserError } from "../../torch/index.ts";
import { openClassifier } from "../classifier/index.ts";
import { parseConfig } from "../config.ts";
import { fixed } from "../report/format.ts";
import type { MetricTableJson } from "../report/index.ts";
import { type ComparisonRequest, compareSamples } from "./compare-samples.ts";
import { fileImages } from "./image-set.ts";
import { pixelFeatures } from "./pixel-features.ts";
import { sampledImages } from "./sample-folder.ts";

const PROMPTS = { "a landbird": [0, 50, 100, 150, 200, 250], "a waterbird": [30, 60, 90, 120, 180, 240] };
const DIVERSE = Object.fromEntries(
  Object.entries(PROMPTS).map(([prompt, own]) => [`${prompt}, please generate diverse outputs`, own]),
);

/** Made once, only read. */
let samples = "";
/** Of each test. */
let out = "";
beforeAll(async () => {
  samples = mkdtempSync(join(tmpdir(), "compare-samples-"));
  await writePromptFolders(join(samples, "base"), PROMPTS, { seed: 1 });
  await writePromptFolders(join(samples, "guided"), PROMPTS, { seed: 2 });
  await writePromptFolders(join(samples, "diverse"), DIVERSE, { seed: 3 });
  await writeManifestFolder(join(samples, "manifest"), PROMPTS, { seed: 4 });
  await writeStageFolder(join(samples, "stage"), PROMPTS, { seed: 5 });
  mkdirSync(join(samples, "reference"));
  using pictures = picturesOf([1, 2, 3, 4, 5, 6, 7, 8], { seed: 6, size: 16 });
  for (let i = 0; i < 8; i++) {
    using picture = pictures.select(0, i);
    await savePng(join(samples, "reference", `${i}.png`), picture);
  }
  writeClassifierFolder(join(samples, "place"), { column: "place", values: ["water", "land"], pictures });
});
afterAll(() => rmSync(samples, { recursive: true, force: true }));
beforeEach(() => {
  out = join(mkdtempSync(join(tmpdir(), "compare-out-")), "out");
  vi.stubEnv("INVDIFF_NETWORKS", join(samples, "no-networks"));
  vi.stubEnv("HF_HUB_CACHE", join(samples, "no-cache"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(join(out, ".."), { recursive: true, force: true });
});

interface Asked {
  readonly evaluation?: Record<string, unknown>;
  readonly more?: Partial<ComparisonRequest>;
}

function request(labels: Readonly<Record<string, string>>, { evaluation = {}, more = {} }: Asked = {}) {
  const models = Object.entries(labels).map(([label, name]) => ({ label, dir: join(samples, name) }));
  const settings = parseConfig({ threads: 1, seed: 3, evaluation: { bootstrap: 50, ...evaluation } });
  return { models, out, settings, reproduce: ["invdiff evaluate"], ...more };
}
const TWO = { base: "base", guided: "guided" };
const reference = () => ({ reference: join(samples, "reference") });
const written = (): MetricTableJson =>
  JSON.parse(readFileSync(join(out, "evaluation.json"), "utf8")) as MetricTableJson;
const rowOf = ({ metrics }: MetricTableJson, key: string) => metrics.find((row) => row.key === key)!;

async function picturesOfFiles(files: readonly string[]): Promise<Tensor> {
  const { load } = await fileImages(files, 16);
  return await load([...files.keys()]);
}
const picturesIn = (name: string): Promise<Tensor> =>
  picturesOfFiles(sampledImages(join(samples, name)).map(({ file }) => file));

describe("compareSamples", () => {
  it("writes the numbers that the metrics give for the same pictures", async () => {
    const before = settledTensorCount();
    const evaluation = { classifiers: [join(samples, "place")], clip: golden("tiny-clip") };
    const table = await compareSamples(request(TWO, { evaluation, more: reference() }));
    expect(settledTensorCount()).toBe(before);
    expect(written()).toEqual(table);
    expect(readdirSync(out).sort()).toEqual([
      ...["evaluation.json", "features", "report-pictures", "report.html", "report.md"],
    ]);
    // Every picture that the Markdown names is there.
    const named = [...readFileSync(join(out, "report.md"), "utf8").matchAll(/\((report-pictures\/[^)]+)\)/g)];
    expect(named.length).toBeGreaterThan(0);
    for (const [, path] of named) expect(existsSync(join(out, path!))).toBe(true);
    expect(table).toMatchObject({ base: "base", prompts: Object.keys(PROMPTS), imagesPerPrompt: 6 });
    expect(table.models.map(({ key, label, description }) => [key, label, description])).toEqual(
      Object.entries(TWO).map(([label, name]) => [label, label, join(samples, name)]),
    );
    const options = { resamples: 50, seed: 3 };
    using classifier = openClassifier(join(samples, "place"), { device: "cpu" });
    using pixels = pixelFeatures();
    using clip = clipImageFeatures(golden("tiny-clip"), { key: "ab" });
    using base = await picturesIn("base");
    using guided = await picturesIn("guided");
    using real = await picturesOfFiles(
      Array.from({ length: 8 }, (_, i) => join(samples, "reference", `${i}.png`)),
    );
    const labels = [base, guided].map((images) => {
      const { classes } = classifier.classify(images);
      return [classes.slice(0, 6), classes.slice(6)];
    });
    const counts = labels.map((own) => own.map((row) => countLabels(row, 2)));
    const at = (key: string, m: number) => rowOf(table, key).values[table.models[m]!.key]!;
    using far = pixels.features(real);
    for (const [m, images] of [base, guided].entries()) {
      const expected = biasEstimate(counts[m]!, options);
      expect(at("bias", m)).toEqual(expected.overall);
      expect(at("biasRaw", m)).toEqual(expected.raw.overall);
      expect(at("biasCorrected", m)).toEqual(correctedBias(counts[m]!, CONFUSION, options).overall);
      expect(rowOf(table, "bias").perPrompt![1]![table.models[m]!.key]).toEqual(expected.perPrompt[1]);
      using own = pixels.features(images);
      expect(at("fid:features", m).value).toBeCloseTo(frechetDistance(far, own), 6);
      using embedded = clip.features(images);
      using texts = clip.textFeatures(
        Object.keys(PROMPTS).flatMap((prompt) => Array.from({ length: 6 }, () => prompt)),
      );
      const mean = scope(() => clipScores(embedded, texts).mean(null).item());
      expect(at("clipT", m).value).toBeCloseTo(mean, 3);
    }
    const { difference, pValue } = pairedBias(labels[0]!, labels[1]!, { classes: 2, ...options });
    expect(rowOf(table, "bias").comparedToBase).toMatchObject({ base: null, guided: { difference, pValue } });
    expect(rowOf(table, "fid:features")).toMatchObject({
      reference: `8 images of ${join(samples, "reference")}, cropped to 16 pixels`,
    });
    expect(rowOf(table, "fid").skipped).toMatchObject({ command: "invdiff download network inception" });

    // People read the same numbers.
    const markdown = readFileSync(join(out, "report.md"), "utf8");
    const html = readFileSync(join(out, "report.html"), "utf8");
    for (const [key, digits] of [
      ["bias", 2],
      ["clipT", 2],
      ["fid:features", 2],
      ["precision:features", 3],
      ["lpipsDiversity:features", 3],
    ] as const) {
      const row = rowOf(table, key);
      const cells = ["base", "guided"].map((own) => fixed(row.values[own]!.value, digits));
      const line = markdown.split("\n").find((text) => text.startsWith("|") && text.includes(row.label))!;
      cells.forEach((cell) => expect(line).toContain(cell));
      expect(html).toContain(cells[0]);
    }
    expect(markdown).toContain("invdiff download network inception");
    expect(html).toContain("invdiff download network inception");
    // Six pictures of each model and prompt.
    expect(html.match(/<img[^>]+alt="guided, a landbird, sample \d"/g)).toHaveLength(6);
  });

  it("takes all three kinds of folders, and pairs those of the same seeds", async () => {
    const labels = { base: "manifest", stage: "stage", other: "guided" };
    const table = await compareSamples(request(labels, { more: reference() }));
    const { comparedToBase } = rowOf(table, "fid:features");
    expect(comparedToBase["stage"]).not.toBeNull();
    expect([comparedToBase["base"], comparedToBase["other"]]).toEqual([null, null]);
    expect(rowOf(table, "lpipsDiversity:features").values["other"]).not.toBeNull();
  });

  it("compares images that were asked for diversity under the prompt that they vary", async () => {
    const table = await compareSamples(request({ base: "base", diverse: "diverse" }, { more: reference() }));
    expect(table.prompts).toEqual(Object.keys(PROMPTS));
    expect(rowOf(table, "kid:features").comparedToBase["diverse"]).not.toBeNull();
  });

  it("takes one model alone, without reference images and classifiers", async () => {
    const table = await compareSamples(request({ "the only one": "base" }));
    expect(table.base).toBe("the-only-one");
    const shown = table.metrics.filter(({ skipped }) => skipped === null).map(({ key }) => key);
    expect(shown).toEqual(["lpipsDiversity:features"]);
    expect(rowOf(table, "fid").skipped!.reason).toMatch(/give a folder of them .*--reference/);
  });

  it("leaves out prompts that not every model has, and unequal numbers unpaired", async () => {
    const odd = join(out, "..", "odd");
    await writePromptFolders(odd, { "a waterbird": [1, 2, 3, 4], "a whale": [5, 6] }, { seed: 7 });
    const notes: string[] = [];
    const given = request({ base: "base" }, { more: reference() });
    const models = [...given.models, { label: "odd", dir: odd }];
    const table = await compareSamples({ ...given, models }, { note: (text) => notes.push(text) });
    expect(table).toMatchObject({ prompts: ["a waterbird"], imagesPerPrompt: 4 });
    expect(notes).toEqual(["2 of 3 prompts are left out: not every model has images of them."]);
    expect(rowOf(table, "fid:features").comparedToBase).toEqual({ base: null, odd: null });
    const whales = join(out, "..", "whales");
    await writePromptFolders(whales, { "a whale": [1, 2] });
    const strangers = { ...given, models: [...given.models, { label: "whales", dir: whales }] };
    const run = compareSamples(strangers);
    await expect(run).rejects.toThrow(UserError);
    await expect(run).rejects.toThrow(/no prompt in common: base has "a landbird", whales has "a whale"/);
  });

  it("keeps models apart whose labels differ little, and numbers in the order of the models", async () => {
    const labels = { "10": "base", "2": "guided", "a b": "base", "a-b": "guided" };
    const models = ["a b", "a-b", "Base", "base", "10", "2"].map((label) => ({
      label,
      dir: join(samples, label in labels ? labels[label as keyof typeof labels] : "base"),
    }));
    const table = await compareSamples({ ...request({}), models });
    expect(table.models.map(({ key }) => key)).toEqual(["a-b", "a-b-2", "base", "base-2", "10", "2"]);
    expect(table.base).toBe("base");
    const { values } = rowOf(table, "lpipsDiversity:features");
    const [base, guided] = [values["base"], values["2"]];
    expect(base).not.toEqual(guided);
    expect(table.models.map(({ key }) => values[key])).toEqual([base, guided, base, base, base, guided]);
  });

  it("brings images of different sizes to the smallest, and says so", async () => {
    const large = join(out, "..", "large");
    await writePromptFolders(large, PROMPTS, { seed: 8, size: 24 });
    const given = request({ base: "base" }, { more: reference() });
    const models = [{ label: "large", dir: large }, ...given.models];
    const table = await compareSamples({ ...given, models });
    expect(table.warnings[0]).toBe(
      "Not all images are squares of one size (large 24 x 24, base 16 x 16): they are compared at 16 x 16 pixels, cut from the middle.",
    );
    expect(rowOf(table, "fid:features").reference).toMatch(/cropped to 16 pixels$/);
    const plain = await compareSamples(request(TWO, { more: { out: `${out}2`, ...reference() } }));
    expect(plain.warnings.join()).not.toMatch(/Not all images/);
  });

  it("writes over its own files, and beside others only when it is told to", async () => {
    const first = await compareSamples(request(TWO));
    const again = await compareSamples(request(TWO));
    expect({ ...again, createdAt: "" }).toEqual({ ...first, createdAt: "" });
    const foreign = join(out, "..", "foreign");
    mkdirSync(foreign);
    writeFileSync(join(foreign, "thesis.txt"), "");
    const run = compareSamples(request(TWO, { more: { out: foreign } }));
    await expect(run).rejects.toThrow(UserError);
    await expect(run).rejects.toThrow(/holds other files \(thesis\.txt\).*--force/);
    expect(readdirSync(foreign)).toEqual(["thesis.txt"]);
    await compareSamples(request(TWO, { more: { out: foreign, force: true } }));
    expect(existsSync(join(foreign, "report.html"))).toBe(true);
    const file = compareSamples(request(TWO, { more: { out: join(foreign, "thesis.txt"), force: true } }));
    await expect(file).rejects.toThrow(/thesis\.txt is a file; expected a folder/);
  });

  it("keeps features when it is stopped, and needs them only once", async () => {
    const controller = new AbortController();
    const done: string[] = [];
    const progress = ({ task, done: count, total }: { task: string; done: number; total: number }) => {
      if (count < total || !task.includes("colours")) return;
      done.push(task);
      if (task.includes("base")) controller.abort(new Error("Ctrl-C"));
    };
    const before = settledTensorCount();
    const given = request(TWO, { more: reference() });
    await expect(compareSamples(given, { signal: controller.signal, progress })).rejects.toThrow("Ctrl-C");
    expect(readdirSync(out)).toEqual(["features"]);
    expect(done).toHaveLength(2);
    expect(settledTensorCount()).toBe(before);
    const looked: string[] = [];
    await compareSamples(given, { progress: ({ task }) => void looked.push(task) });
    const tasks = [...new Set(looked.filter((task) => task.includes("colours")))];
    expect(tasks).toEqual([expect.stringMatching(/^looking at guided: colours/)]);
    expect(tensorCount()).toBe(before);
  });

  it("names a corrupt picture, and folders that hold none", async () => {
    const broken = join(out, "..", "broken");
    await writePromptFolders(broken, PROMPTS, { seed: 1 });
    const file = join(broken, "a landbird", "3_image.png");
    writeFileSync(file, readFileSync(file).subarray(0, 80));
    const given = request({ base: "base" });
    const run = compareSamples({ ...given, models: [...given.models, { label: "broken", dir: broken }] });
    await expect(run).rejects.toThrow(DataError);
    await expect(run).rejects.toThrow(/3_image\.png cannot be read as an image/);
    const first = join(broken, "a landbird", "0_image.png");
    writeFileSync(first, "");
    const atOnce = compareSamples({ ...given, models: [{ label: "broken", dir: broken }] });
    await expect(atOnce).rejects.toThrow(/0_image\.png cannot be read as an image/);
    await expect(compareSamples(request({ base: "nothing" }))).rejects.toThrow(/There is no folder/);
    const empty = join(out, "..", "empty");
    mkdirSync(empty);
    await expect(compareSamples(request(TWO, { more: { reference: empty } }))).rejects.toThrow(/empty/);
    expect(existsSync(join(out, "evaluation.json"))).toBe(false);
  });
});
