import { describe, expect, it } from "vitest";
import { reportFixture, squarePng } from "../../../test/report-fixture.ts";
import { richReport } from "../../../test/rich-report.ts";
import { codeFence, escapeMarkdown } from "./markdown-text.ts";
import { drawPictureSheets } from "./picture-sheets.ts";
import { renderMarkdown } from "./render-markdown.ts";
import type { ReportData } from "./report-data.ts";

describe("renderMarkdown", () => {
  it("has the numbers of the HTML report", () => {
    const text = renderMarkdown(richReport());
    expect(text.startsWith("# People at work\n")).toBe(true);
    expect(text).toContain("**The bias fell from 0.91 to 0.16, with no label of the gender used.**");
    expect(text).toContain(
      "| **FID (clean)** (lower is better) | 41.9 (40.6 to 43.2) | 33.2 (31.9 to 34.5)<br>better |",
    );
    expect(text).toContain("| Bias, Base, “diverse” prompt | −0.07 (−0.12 to −0.02) |");
    expect(text).toContain(
      "- **LPIPS diversity:** The weights of the LPIPS network are not on this machine.",
    );
    expect(text).toContain("```sh\ninvdiff download network lpips\n```");
    expect(text).toContain("| gender: man | 94\u00a0% | 20\u00a0% | 4.7× |");
    expect(text).toContain("| woman | 964 | 36 |");
    expect(text).toContain("| base (reused) | 52\u00a0min 51\u00a0s | 2.99\u00a0GB | 19.8\u00a0GB |");
    expect(text).toContain("> - FID rests on 1,024 generated images");
    expect(text).toContain("- **CLIP-T:** How well images fit their prompt");
    expect(text).not.toMatch(/undefined|NaN|!\[/);
  });

  it("has tables whose rows all have as many cells as their head", () => {
    const text = renderMarkdown(richReport({ models: 7, prompts: 20, values: 8, images: 2 }));
    for (const table of text.match(/(?:^\|.*\n?)+/gm)!) {
      const cells = table
        .trim()
        .split("\n")
        .map((line) => line.split("|").length);
      expect(new Set(cells).size).toBe(1);
    }
  });

  it("names pictures by their path only when a folder is given, and every one of them is drawn", async () => {
    const data = richReport({ images: 5 });
    const text = renderMarkdown(data, { pictures: "report pictures" });
    const named = [...text.matchAll(/!\[[^\]]*\]\(([^)]*)\)/g)].map(([, path]) => path!);
    const drawn = await drawPictureSheets(data);
    expect(named).toHaveLength(2 * 6 + 2 + 2 * 2);
    expect(named.map((path) => path.replace("report%20pictures/", "")).sort()).toEqual(
      [...drawn.keys()].sort(),
    );
    const { default: sharp } = await import("sharp");
    // Five pictures: a full row of four and one below.
    expect(await sharp(drawn.get("samples-1-1.webp")).metadata()).toMatchObject({ width: 460, height: 228 });
  });

  it("bears missing parts", () => {
    const bare: ReportData = {
      ...reportFixture("no-attribute"),
      dataset: undefined,
      outcome: undefined,
      groups: undefined,
      models: [],
      samples: [],
      curves: [],
      stages: [],
      versions: {},
      reproduce: [],
      settingsYaml: "",
    };
    for (const state of ["groups-found", "no-second-population", "no-attribute"] as const)
      expect(renderMarkdown(reportFixture(state))).not.toMatch(/undefined|NaN/);
    expect(renderMarkdown(bare, { pictures: "x" })).not.toMatch(
      /undefined|NaN|##? (Classifiers|Groups|Repeat|Samples)/,
    );
  });

  it("draws what it can when a picture cannot be read", async () => {
    const data = richReport({ models: 1, prompts: 1, images: 2 });
    const broken = { bytes: new Uint8Array([1, 2, 3]), alt: "broken" };
    const images = [broken, { bytes: squarePng([1, 2, 3]), alt: "fine" }];
    const sheets = await drawPictureSheets({
      ...data,
      groups: undefined,
      samples: [{ prompt: "x", grids: [{ label: "y", images }] }],
    });
    expect([...sheets.keys()]).toEqual(["samples-1-1.webp"]);
  });
});

describe("Markdown text", () => {
  it("takes nothing of a text for formatting, links, HTML or a new row", () => {
    const hostile = "a|b <img src=x> [x](https://x.y) `c` *d* __e__\n# f @team #12 ~~g~~ $h$";
    const escaped = escapeMarkdown(hostile);
    // What is left of the special characters belongs to entities.
    expect(escaped.replace(/&(#\d+|[a-z]+);/g, "")).not.toMatch(/[|<>[\]`*_\n#@~$]|:\/\//);
    expect(escapeMarkdown("1. not a list")).toBe("1&#46; not a list");
    expect(escapeMarkdown("- no list")).toBe("&#45; no list");
    expect(escapeMarkdown("صورة")).toBe("\u2068صورة\u2069");
  });

  it("fences code that holds fences", () => {
    expect(codeFence("a\n```\nb\n", "yaml")).toBe("````yaml\na\n```\nb\n````");
  });
});
