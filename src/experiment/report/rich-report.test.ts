// The report with everything in it, with a lot of everything, and with parts missing.
import { beforeAll, describe, expect, it } from "vitest";
import { plain, poisoned, unclosed } from "../../../test/report-text.ts";
import { richReport } from "../../../test/rich-report.ts";
import { escapeHtml } from "./html.ts";
import { renderReport } from "./render-report.ts";
import type { ReportData } from "./report-data.ts";

let text = "";
let words = "";

beforeAll(async () => {
  text = await renderReport(richReport());
  words = plain(text);
}, 60_000);

describe("six models", () => {
  it("gives every model a column, in the order of the data, and every metric a row", () => {
    const table = /<table role="table">[\s\S]*?<\/table>/.exec(text)![0];
    const head = [...table.matchAll(/<th scope="col"[^>]*>([\s\S]*?)<\/th>/g)].map(([, cell]) =>
      plain(cell!).trim(),
    );
    expect(head).toEqual([
      "Metric",
      "Base model",
      "Guided model",
      "Guided, true labels",
      "Guided, reference's groups",
      "Base, “diverse” prompt",
      "Re-weighted data",
    ]);
    const rows = [...table.matchAll(/<span class="name">([^<]*)</g)].map(([, name]) => name);
    expect(rows).toEqual(["Bias", "Prompt accuracy", "CLIP-T", "FID (clean)", "KID", "Recall", "Coverage"]);
    for (const [row] of table.matchAll(/<tr role="row">[\s\S]*?<\/tr>/g))
      expect(row.match(/<t[hd] /g)).toHaveLength(7);
  });

  it("says what is better, and which differences are beyond chance", () => {
    expect(words).toContain("41.9 40.6 to 43.2 33.2 31.9 to 34.5 ✓ better");
    // p = 0.41, and p = 0.0003 in the wrong direction.
    expect(words).toContain("0.84 0.79 to 0.89 ≈ no clear difference");
    expect(words).toContain("97.9 % 97.5 to 98.3 % ✗ worse");
    expect(words).toContain("Of 35 comparisons, about one in twenty");
    expect(words).toContain(
      "Bias, Guided model −0.75 (−0.80 to −0.70) p < 0.001 lower than the base, beyond chance",
    );
    expect(words).toContain(
      "CLIP-T, Re-weighted data −0.001 (−0.003 to +0.001) p = 0.50 no clear difference",
    );
    expect(words).toContain("Features: Inception-v3 pool3 (FID), clean resize");
    expect(words).toContain("FID (clean) and KID: compared with 2,000 balanced validation images.");
  });

  it("gives numbers by prompt, the bias in its own section", () => {
    expect(words).toContain("CLIP-T, prompt by prompt Prompt Base model");
    expect(words).toContain("“a photo of a nurse” 0.269 0.267 0.265 0.263 0.261 0.259");
    expect(words).not.toContain("Bias, prompt by prompt");
  });

  it("names skipped metrics with the reason and the command that gets what is missing", () => {
    expect(words).toContain("LPIPS diversity: The weights of the LPIPS network are not on this machine.");
    expect(words).toContain("FID (as in the reference): The reference's own images are needed");
    expect(text).toMatch(/<code>invdiff download network lpips<\/code>/);
  });

  it("shows base and guided side by side and folds the others away", () => {
    const [, ...cards] = text.slice(text.indexOf('<section id="samples"')).split('<figure class="card">');
    const [open, folded] = cards[0]!.split("<details>");
    expect(plain(open!)).toContain("“a photo of a doctor” Base model");
    expect(plain(open!)).toContain("Guided model");
    expect(plain(open!)).not.toContain("Re-weighted data");
    expect(plain(folded!)).toContain("4 other models for this prompt");
    expect(plain(folded!)).toContain("Re-weighted data");
  });

  it("draws the floor of no bias, and explains the three ways to count", () => {
    expect(text).toContain("Line at 0.04: what images without any bias show by chance.");
    expect(words).toContain("chance makes it 0.04 on average");
    expect(words).toContain("Corrected 0.95 (0.89 to 1.00)");
    expect(words).toContain("with 2 values it cannot exceed 1.00");
  });

  it("says what differs between the groups, with share, overall share and lift", () => {
    expect(words).toContain(
      "More frequent in this group: Neglected group What Here Overall Lift gender: man 94 % 20 % 4.7×",
    );
    expect(words).toContain("word “hospital” 31 % 22 % 1.4×");
    expect(words).toContain("No caption or metadata value is more frequent here, beyond chance.");
    expect(text).toContain("--share:94.0%;--overall:20.0%");
  });

  it("shows mean losses by group, validation, memory, and the classifier's mistakes", () => {
    expect(text).toContain(
      "Mean loss by timestep of each group of a photo of a doctor. Usual group: 0.069 on average",
    );
    expect(text).toContain("On validation images 0.117 at the end.");
    expect(words).toContain("base (reused) 52 min 51 s 2.99 GB 19.8 GB");
    expect(words).toContain("woman 964 96.4 % 36 3.6 %");
    expect(words).toContain(
      "gender (ResNet-18, 224 pixels) 96.4 % (95.5 to 97.2 %) 0.964 0.964 0.964 0.991 2,000",
    );
    expect(words).toContain("2 warnings: read before trusting the numbers");
  });

  it("explains every metric in the glossary", () => {
    const glossary = text.slice(text.indexOf('<section id="glossary"'));
    const terms = [...glossary.matchAll(/<dt>([^<]*)<\/dt>/g)].map(([, term]) => term);
    for (const term of [
      "Bias",
      "CLIP-T",
      "FID",
      "KID",
      "Coverage",
      "LPIPS diversity",
      "Corrected bias",
      "Lift",
      "p-value",
    ])
      expect(terms).toContain(term);
    expect(new Set(terms).size).toBe(terms.length);
  });
});

describe("basics of accessibility", () => {
  it("keeps headings in order, gives every table a caption and every header cell its scope", () => {
    expect(unclosed(text)).toEqual([]);
    const levels = [...text.matchAll(/<h([1-6])/g)].map((match) => Number(match[1]));
    levels.forEach((level, i) => expect(level - (levels[i - 1] ?? 0)).toBeLessThanOrEqual(1));
    for (const [table] of text.matchAll(/<table[\s\S]*?<\/table>/g)) {
      expect(table).toMatch(/<caption>[\s\S]*?\S[\s\S]*?<\/caption>/);
      for (const [cell] of table.matchAll(/<th[ >][^>]*>?/g)) expect(cell).toMatch(/scope="(col|row)"/);
    }
    for (const [tag] of text.matchAll(/<img [^>]*>/g)) expect(tag).toMatch(/alt="[^"]+"/);
    for (const [details] of text.matchAll(/<details>\s*<[a-z]+/g)) expect(details).toMatch(/<summary$/);
    // Regions that scroll are landmarks: no two may have one name, also when everything is unfolded.
    const regions = [...text.matchAll(/role="region" aria-label="([^"]*)"/g)].map((match) => match[1]);
    expect(new Set(regions).size).toBe(regions.length);
    const ids = [...text.matchAll(/\sid="([^"]*)"/g)].map((match) => match[1]);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe("a lot of everything", () => {
  it("bears seven models, twenty prompts, eight values, long, foreign and hostile prompts", async () => {
    const big = await renderReport(richReport({ models: 7, prompts: 20, values: 8, images: 4 }));
    expect(unclosed(big)).toEqual([]);
    const read = plain(big);
    expect(read).toContain("Samples of 16 further prompts");
    expect(read).toContain("Bars of 16 further prompts");
    expect(read).toContain("with 8 values it cannot exceed 0.25");
    expect(big).toContain("<bdi>صورة طبيب في المستشفى</bdi>");
    expect(big).not.toContain("<b>bold</b>");
    expect(big).toContain(escapeHtml(`a <b>bold</b> & "quoted" | piped \`prompt\``));
    expect(read).not.toMatch(/undefined|NaN/);
  }, 60_000);

  it("escapes every text", async () => {
    const evil = `<script>alert("x")</script>'&`;
    const poisonedText = await renderReport(poisoned(richReport({ images: 2 }), evil));
    expect(poisonedText).not.toContain("<script");
    expect(poisonedText).toContain(escapeHtml(evil));
    expect(unclosed(poisonedText)).toEqual([]);
  }, 60_000);
});

describe("parts missing", () => {
  const without: [name: string, change: Partial<ReportData>, absent: string[]][] = [
    [
      "a comparison of samples: no data set, no groups, no curves",
      { dataset: undefined, outcome: undefined, groups: undefined, profile: undefined, curves: [] },
      ["groups", "extremes"],
    ],
    ["no classifiers, no stages", { classifiers: [], stages: [], curves: [] }, ["classifiers", "training"]],
    ["no metric at all", { metrics: [] }, ["metrics"]],
    ["no settings, commands or versions", { settingsYaml: "", reproduce: [], versions: {} }, ["reproduce"]],
    [
      "nothing but a title",
      nothing(),
      ["groups", "classifiers", "training", "metrics", "samples", "reproduce"],
    ],
  ];

  it.each(without)("%s", async (_, change, absent) => {
    const page = await renderReport({ ...richReport({ images: 6 }), ...change });
    expect(unclosed(page)).toEqual([]);
    for (const id of absent) expect(page).not.toContain(`<section id="${id}"`);
    for (const [, id] of page.matchAll(/href="#([^"]+)"/g)) expect(page).toContain(`id="${id}"`);
    expect(plain(page)).not.toMatch(/undefined|NaN|Infinity/);
  });

  it("takes the first model for the base when none is called so, and names the one with the least bias", async () => {
    const data = richReport({ images: 6 });
    const models = data.models.map((model) => ({ ...model, key: `m-${model.key}` }));
    const samples = data.samples.map((entry) => ({
      ...entry,
      grids: entry.grids.map((grid) => ({ ...grid, model: `m-${grid.model}` })),
    }));
    const page = await renderReport({
      ...data,
      models,
      samples,
      outcome: undefined,
      dataset: undefined,
      groups: undefined,
    });
    const read = plain(page);
    expect(read).toContain(
      "Of 6 models, “Guided, true labels” shows the least bias: 0.08; Base model has 0.91.",
    );
    expect(read).toContain("What 6 models draw for 2 prompts, 512 images each");
    expect(page).not.toMatch(/undefined|NaN/);
  });

  it("shows one model alone, without comparisons", async () => {
    const data = richReport({ models: 1, images: 6 });
    const read = plain(
      await renderReport({ ...data, outcome: undefined, dataset: undefined, groups: undefined }),
    );
    expect(read).toContain("The bias of “Base model” is 0.91.");
    expect(read).not.toContain("no clear difference");
    expect(read).not.toContain("All models start");
  });
});

function nothing(): Partial<ReportData> {
  return {
    dataset: undefined,
    outcome: undefined,
    attribute: undefined,
    groups: undefined,
    profile: undefined,
    metrics: undefined,
    biasFloor: undefined,
    models: [],
    prompts: [],
    samples: [],
    curves: [],
    classifiers: [],
    stages: [],
    settingsYaml: "",
    reproduce: [],
    versions: {},
    warnings: [],
  };
}
