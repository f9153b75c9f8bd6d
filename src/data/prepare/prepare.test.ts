import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  CELEBA_ATTRIBUTES,
  makeCeleba,
  makeFairface,
  makeWaterbirds,
  type MadeImage,
} from "../../../test/official-folders.ts";
import { ConfigError, DataError } from "../../torch/errors.ts";
import { readEvaluationColumns } from "../evaluation-columns.ts";
import { openImageFolder } from "../image-folder.ts";
import { prepareDataset, publishedSets, type PreparePlan, type PrepareOptions } from "./index.ts";

const { waterbirds, celeba, fairface } = publishedSets;
const size = 16;

/** The sources are made once; a test that damages one works on a copy. */
let sources: string;
const made: Record<string, MadeImage[]> = {};
beforeAll(async () => {
  sources = mkdtempSync(join(tmpdir(), "official-"));
  const at = (name: string) => join(sources, name);
  made["waterbirds"] = await makeWaterbirds(at("waterbirds"), { size });
  made["celeba"] = await makeCeleba(at("celeba"), { size });
  made["celeba-csv"] = await makeCeleba(at("celeba-csv"), { size, format: "csv" });
  made["fairface"] = await makeFairface(at("fairface"), { size });
}, 60_000);
afterAll(() => rmSync(sources, { recursive: true, force: true }));

let folder: string;
let out: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "prepare-"));
  out = join(folder, "out");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const source = (name: string): string => join(sources, name);

/** A copy of a source that a test may change. */
function copyOf(name: string): string {
  const copy = join(folder, name);
  cpSync(source(name), copy, { recursive: true });
  return copy;
}

interface Row extends Record<string, unknown> {
  file_name: string;
  text: string;
  group: number;
}
const rowsOf = (split: string, at = out): Row[] =>
  readFileSync(join(at, split, "metadata.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);
const groupCounts = (split: string, at = out): number[] => {
  const counts: number[] = [];
  for (const { group } of rowsOf(split, at)) counts[group] = (counts[group] ?? 0) + 1;
  return counts;
};
const summary = (at = out): Record<string, unknown> =>
  JSON.parse(readFileSync(join(at, "dataset.json"), "utf8")) as Record<string, unknown>;
const sameBytes = (a: string, b: string): boolean => readFileSync(a).equals(readFileSync(b));

describe("Waterbirds", () => {
  it("is taken as it is, with the validation balanced, under two captions", async () => {
    await prepareDataset(waterbirds, source("waterbirds"), out);
    expect(groupCounts("train")).toEqual([38, 2, 2, 38]);
    expect([groupCounts("validation"), groupCounts("test")]).toEqual([
      [6, 6, 6, 6],
      [6, 6, 6, 6],
    ]);
    for (const split of ["train", "validation", "test"]) {
      const wanted = made["waterbirds"]!.filter(({ part }) => part === split);
      const rows = rowsOf(split);
      expect(rows.map((row) => [row.file_name, row.group])).toEqual(
        wanted.map(({ name, cell }) => [name, cell]),
      );
      wanted.forEach(({ name, file }) => expect(sameBytes(join(out, split, name), file)).toBe(true));
      for (const row of rows) {
        expect(row.text).toBe(`a photo of a ${String(row["subject"])}`);
        expect([row["y"], row["place_index"]]).toEqual([
          row["subject"] === "waterbird" ? 1 : 0,
          row["place"] === "water" ? 1 : 0,
        ]);
        expect(row["group_name"]).toBe(`${String(row["subject"])} on ${String(row["place"])}`);
      }
    }
    expect(new Set(openImageFolder(out).items.map(({ caption }) => caption))).toEqual(
      new Set(["a photo of a landbird", "a photo of a waterbird"]),
    );
    const columns = readEvaluationColumns(out, ["subject", "place", "group"], { split: "validation" });
    expect(columns.size).toBe(24);
  });

  it("names the species as the reference does, when asked to", async () => {
    await prepareDataset(waterbirds, source("waterbirds"), out, { captions: "species" });
    const captions = new Map(rowsOf("train").map(({ file_name, text }) => [file_name.split("/")[0], text]));
    expect(captions.get("001.Black_footed_Albatross")).toBe("a black footed albatross");
    expect(captions.get("014.Indigo_Bunting")).toBe("an indigo bunting");
    expect(captions.size).toBe(8);
  });

  it("builds another ratio, and takes a caption with columns", async () => {
    const options = {
      ratio: "balanced",
      caption: "{species}, {y}",
      validation: "none",
      test: "none",
    } as const;
    await prepareDataset(waterbirds, source("waterbirds"), out, options);
    expect(groupCounts("train")).toEqual([2, 2, 2, 2]);
    expect(readdirSync(out).sort()).toEqual(["dataset.json", "train"]);
    for (const { text, species, y } of rowsOf("train")) expect(text).toBe(`${String(species)}, ${String(y)}`);
  });

  it("is found in the folder of its archive's name", async () => {
    const parent = join(folder, "downloads");
    cpSync(source("waterbirds"), join(parent, "waterbird_complete95_forest2water2"), { recursive: true });
    await prepareDataset(waterbirds, parent, out);
    expect(groupCounts("train")).toEqual([38, 2, 2, 38]);
  });
});

describe("CelebA", () => {
  it("has the ratio of blond and other men and women, and every published attribute", async () => {
    await prepareDataset(celeba, source("celeba"), out);
    expect(groupCounts("train")).toEqual([8, 16, 16, 8]);
    expect(groupCounts("validation")).toEqual([6, 6, 6, 6]);
    expect(groupCounts("test")).toEqual([6, 8, 8, 8]);
    const cells = new Map(made["celeba"]!.map(({ name, cell }) => [name, cell]));
    for (const row of [...rowsOf("train"), ...rowsOf("validation"), ...rowsOf("test")]) {
      expect(row.group).toBe(cells.get(row.file_name));
      expect([row["Male"], row["Blond_Hair"]]).toEqual([row.group % 2 ? -1 : 1, row.group < 2 ? 1 : -1]);
      expect([row["gender"], row["hair"]]).toEqual([
        row.group % 2 ? "woman" : "man",
        row.group < 2 ? "blond" : "other",
      ]);
      expect(CELEBA_ATTRIBUTES.every((name) => row[name] === 1 || row[name] === -1)).toBe(true);
      expect(row.text).toBe(
        row.group < 2 ? "a photo of a person with blond hair" : "a photo of a person whose hair is not blond",
      );
    }
  });

  it("sets blond against black hair alone, and says whom it leaves out", async () => {
    const plans: PreparePlan[] = [];
    const onPlan = (plan: PreparePlan) => plans.push(plan);
    await prepareDataset(celeba, source("celeba"), out, { against: "black", captions: "gender", onPlan });
    for (const row of rowsOf("test")) {
      expect(row["Blond_Hair"]).toBe(-(row["Black_Hair"] as number));
      expect(row["hair"]).toBe(row["Blond_Hair"] === 1 ? "blond" : "black");
      expect(row.text).toBe(row["Male"] === 1 ? "a photo of a man" : "a photo of a woman");
    }
    const dark = made["celeba"]!.filter(({ cell }) => cell >= 2).length;
    const left = Object.values(plans[0]!.unused)[0]!;
    // Every fourth image has brown hair.
    expect(left).toBeGreaterThan(dark / 8);
    expect(plans[0]!.evaluation).toEqual({ subjectColumn: "gender", hiddenColumn: "hair" });
    expect(summary()["source"]).toMatchObject({ images: made["celeba"]!.length - left });
  });

  it("reads the CSV files of copies to the same rows", async () => {
    await prepareDataset(celeba, source("celeba"), out);
    await prepareDataset(celeba, source("celeba-csv"), join(folder, "csv"));
    for (const split of ["train", "validation", "test"])
      expect(rowsOf(split, join(folder, "csv"))).toEqual(rowsOf(split));
  });

  it.each([
    ["1_1_1_1", [8, 8, 8, 8]],
    ["1_2_2_2", [8, 16, 16, 16]],
    ["1_4_4_1", [6, 24, 24, 6]],
    ["1_4_4_4", [6, 24, 24, 24]],
    ["1_8_8_1", [3, 24, 24, 3]],
    ["1_8_8_8", [3, 24, 24, 24]],
  ])("builds %s", async (ratio, counts) => {
    await prepareDataset(celeba, source("celeba"), out, { ratio, check: "used", test: "none" });
    expect(groupCounts("train")).toEqual(counts);
  });

  it("is found with the project page's folders, carriage returns and byte order marks", async () => {
    const copy = copyOf("celeba");
    const text = (name: string) => readFileSync(join(copy, name), "utf8").replaceAll("\n", "\r\n");
    for (const [name, place] of [
      ["list_attr_celeba.txt", "Anno"],
      ["list_eval_partition.txt", "Eval"],
    ] as const) {
      mkdirSync(join(copy, place));
      writeFileSync(join(copy, place, name), `\uFEFF${text(name)}`);
      rmSync(join(copy, name));
    }
    mkdirSync(join(copy, "Img"));
    renameSync(join(copy, "img_align_celeba"), join(copy, "Img", "img_align_celeba"));
    await prepareDataset(celeba, copy, out);
    expect(groupCounts("train")).toEqual([8, 16, 16, 8]);
  });
});

describe("FairFace", () => {
  it("has 3:2:1:1 for men and 1:1:2:3 for women, from the two parts", async () => {
    await prepareDataset(fairface, source("fairface"), out);
    expect(groupCounts("train")).toEqual([12, 8, 4, 4, 4, 4, 8, 12]);
    expect(groupCounts("validation")).toEqual(new Array(8).fill(6));
    expect(existsSync(join(out, "test"))).toBe(false);
    const group: Record<string, number> = {
      White: 0,
      Latino_Hispanic: 0,
      "Middle Eastern": 0,
      "East Asian": 1,
      "Southeast Asian": 1,
      Indian: 2,
      Black: 3,
    };
    for (const [split, part] of [
      ["train", "train"],
      ["validation", "val"],
    ] as const)
      for (const row of rowsOf(split)) {
        expect(row["file"]).toBe(`${part}/${row.file_name}`);
        expect(
          sameBytes(join(out, split, row.file_name), join(source("fairface"), String(row["file"]))),
        ).toBe(true);
        expect(row.group).toBe((row["gender"] === "Male" ? 0 : 4) + group[String(row["race"])]!);
        expect(row["race_group"]).toBe(["White", "Asian", "Indian", "Black"][row.group % 4]);
        expect(row.text).toBe(row["gender"] === "Male" ? "a photo of a man" : "a photo of a woman");
        expect(Object.keys(row)).toEqual(expect.arrayContaining(["age", "service_test"]));
      }
  });

  it("leaves groups out of the validation that the ratio leaves out", async () => {
    await prepareDataset(fairface, source("fairface"), out, { ratio: "1_1_0_0_0_0_1_1", captions: "person" });
    expect(groupCounts("train")).toEqual([12, 12, , , , , 12, 12]);
    expect(groupCounts("validation")).toEqual([6, 6, , , , , 6, 6]);
    expect(new Set(rowsOf("train").map(({ text }) => text))).toEqual(new Set(["a photo of a person"]));
  });

  it("finds the pictures in a folder of the archive's name, or where it is told", async () => {
    const copy = copyOf("fairface");
    const nested = join(copy, "fairface-img-margin025-trainval");
    mkdirSync(nested);
    for (const part of ["train", "val"]) renameSync(join(copy, part), join(nested, part));
    await prepareDataset(fairface, copy, out);
    expect(rowsOf("train")).toHaveLength(56);
    const moved = join(folder, "pictures");
    renameSync(nested, moved);
    await expect(prepareDataset(fairface, copy, join(folder, "b"))).rejects.toThrow(
      /None of the 144 listed FairFace images is there: looked for train.1.jpg, .* in \.\/ of /,
    );
    await prepareDataset(fairface, copy, join(folder, "b"), { images: moved });
    expect(rowsOf("train", join(folder, "b"))).toEqual(rowsOf("train"));
  });
});

describe("the choice of images", () => {
  const names = (at: string, split = "train") => rowsOf(split, at).map(({ file_name }) => file_name);
  const prepare = async (name: string, options: PrepareOptions = {}): Promise<string> => {
    const to = join(folder, name);
    await prepareDataset(celeba, source("celeba"), to, { ...options, check: "used" });
    return to;
  };

  it("depends on the seed alone, and a smaller set is a part of the larger one", async () => {
    const [one, again, other] = [await prepare("a"), await prepare("b"), await prepare("c", { seed: 1 })];
    for (const split of ["train", "validation", "test"])
      expect(readFileSync(join(one, split, "metadata.jsonl"), "utf8")).toBe(
        readFileSync(join(again, split, "metadata.jsonl"), "utf8"),
      );
    expect({ ...summary(one), command: "" }).toEqual({ ...summary(again), command: "" });
    expect(names(other)).not.toEqual(names(one));
    const small = await prepare("d", { size: 20, validationSize: 9 });
    expect([groupCounts("train", small), groupCounts("validation", small)]).toEqual([
      [3, 6, 6, 3],
      [2, 2, 2, 2],
    ]);
    expect(new Set(names(one))).toEqual(new Set([...names(one), ...names(small)]));
  });

  it("limits a set that is taken as it is", async () => {
    const to = await prepare("a", { ratio: "as-is", size: 30, validation: "as-is" });
    expect(names(to)).toHaveLength(30);
    expect(names(to)).toEqual([...names(to)].sort());
    expect(groupCounts("validation", to)).toEqual([6, 8, 8, 8]);
  });

  it("is described by dataset.json", async () => {
    const to = await prepare("a", { command: "the command", seed: 3 });
    const digest = (data: string | Buffer) => createHash("sha256").update(data).digest("hex");
    const lines = names(to).map((name) => `${name} ${digest(readFileSync(join(to, "train", name)))}\n`);
    expect(summary(to)).toMatchObject({
      format: "invdiff-dataset",
      dataset: "celeba",
      command: "the command",
      seed: 3,
      ratio: "1:2:2:1",
      source: { images: made["celeba"]!.length },
      evaluation: { subjectColumn: "hair", hiddenColumn: "gender" },
      splits: {
        train: {
          images: 48,
          groups: [8, 16, 16, 8],
          available: [8, 24, 40, 40],
          sha256: digest(lines.join("")),
          bytes: names(to).reduce((sum, name) => sum + statSync(join(to, "train", name)).size, 0),
        },
      },
    });
    expect(summary(to)["labelFiles"]).toEqual(
      ["list_attr_celeba.txt", "list_eval_partition.txt"].map((name) => ({
        name,
        sha256: digest(readFileSync(join(source("celeba"), name))),
      })),
    );
  });

  it.each([
    [{ size: 5 }, /5 images were asked for in train; the ratio 1:2:2:1 needs at least 6/],
    [{ size: 0 }, /size is 0/],
    [{ seed: -1 }, /seed is -1/],
    [{ ratio: "1:2" }, /The ratio is "1:2"; expected as-is, balanced, or 4 whole numbers/],
    [{ captions: "type" }, /no captions "type" for this data set; expected hair or gender/],
    [{ caption: "a {colour} person" }, /asks for \{colour\}; the columns are gender, hair, 5_o_Clock_Shadow/],
    [{ caption: " " }, /The caption is empty/],
  ])("refuses %j", async (options, message) => {
    await expect(prepare("a", options)).rejects.toThrow(message);
    await expect(prepare("a", options)).rejects.toThrow(ConfigError);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("names the group that is too small for a ratio", async () => {
    await expect(prepare("a", { ratio: "9:1:1:1" })).rejects.toThrow(
      /9:1:1:1 cannot be built for train: too few images of man, blond \(needs 9, has 8\)/,
    );
  });
});

describe("pictures that are broken or missing", () => {
  const damage = (copy: string): void => {
    const training = made["celeba"]!.filter(({ part }) => part === "train");
    const file = (i: number) => join(copy, "img_align_celeba", training[i]!.name);
    truncateSync(file(0), 300);
    writeFileSync(file(1), "");
    writeFileSync(file(2), "<html>quota exceeded</html>");
  };

  it("stop the work and are all named, though no ratio needs them", async () => {
    const copy = copyOf("celeba");
    damage(copy);
    const prepared = prepareDataset(celeba, copy, out, { size: 6 });
    await expect(prepared).rejects.toThrow(DataError);
    await expect(prepared).rejects.toThrow(
      /3 of 172 images cannot be decoded:\n.*000001.jpg: .*\n.*000002.jpg: the file is empty\n.*000003.jpg: .*unsupported.*\n.*--skip-broken/i,
    );
    expect(existsSync(out)).toBe(false);
  });

  it("are left out when asked to, and others take their places", async () => {
    const copy = copyOf("celeba");
    damage(copy);
    rmSync(join(copy, "img_align_celeba", "000004.jpg"));
    for (const check of ["all", "used"] as const) {
      const to = join(folder, check);
      await prepareDataset(celeba, copy, to, { skipBroken: true, check });
      const rows = rowsOf("train", to);
      expect(rows.some(({ file_name }) => /^00000[1-4]\.jpg$/.test(file_name))).toBe(false);
      for (const { file_name } of rows) await sharp(join(to, "train", file_name)).stats();
    }
    expect(rowsOf("train", join(folder, "used"))).toEqual(rowsOf("train", join(folder, "all")));
    const skipped = summary(join(folder, "all"))["skipped"] as string[];
    expect(skipped[0]).toBe("000004.jpg: there is no such file");
    expect(skipped.map((text) => text.split(":")[0]).sort()).toEqual(
      [1, 2, 3, 4].map((i) => `00000${i}.jpg`),
    );
  });

  it("are counted, the first ten by name, when they are not there", async () => {
    const copy = copyOf("fairface");
    for (let i = 1; i <= 13; i++) rmSync(join(copy, "train", `${i}.jpg`));
    const prepared = prepareDataset(fairface, copy, out);
    await expect(prepared).rejects.toThrow(/13 of 144 images are listed but not there:\n.*train.1\.jpg\n/);
    await expect(prepared).rejects.toThrow(/train.10\.jpg\n {2}\.\.\. and 3 more\n/);
  });
});

describe("the output folder", () => {
  const prepare = (options: PrepareOptions = {}, from = source("fairface")) =>
    prepareDataset(fairface, from, out, { check: "used", ...options });

  it("is replaced only when it was prepared before, and only with force", async () => {
    await prepare();
    await expect(prepare()).rejects.toThrow(/holds a prepared data set already.*--force/);
    await prepare({ size: 28, force: true });
    expect(rowsOf("train")).toHaveLength(28);
    expect(readdirSync(folder)).toEqual(["out"]);
    const mine = join(folder, "mine");
    mkdirSync(mine);
    await prepareDataset(fairface, source("fairface"), mine);
    rmSync(mine, { recursive: true });
    mkdirSync(mine);
    writeFileSync(join(mine, "thesis.txt"), "years of work");
    await expect(prepareDataset(fairface, source("fairface"), mine, { force: true })).rejects.toThrow(
      /is no prepared data set.*not replaced/,
    );
    expect(readdirSync(mine)).toEqual(["thesis.txt"]);
  });

  it("may not hold the source, nor be a file", async () => {
    const copy = copyOf("fairface");
    writeFileSync(join(folder, "dataset.json"), '{"format": "invdiff-dataset"}');
    for (const target of [copy, folder])
      await expect(prepareDataset(fairface, copy, target, { force: true })).rejects.toThrow(
        /holds the source/,
      );
    expect(existsSync(join(copy, "train", "1.jpg"))).toBe(true);
    writeFileSync(out, "");
    await expect(prepare({ force: true })).rejects.toThrow(/is a file/);
  });

  it("gets hard links when asked to", async () => {
    const copy = copyOf("fairface");
    await prepare({ link: true }, copy);
    const { file_name: name } = rowsOf("train")[0]!;
    expect(statSync(join(out, "train", name)).ino).toBe(statSync(join(copy, "train", name)).ino);
    await prepare({ force: true }, copy);
    expect(statSync(join(out, "train", name)).ino).not.toBe(statSync(join(copy, "train", name)).ino);
  });

  it.each(["checking images", "copying"])("is not there after an abort while %s", async (when) => {
    const stop = new AbortController();
    const seen: string[] = [];
    const prepared = prepare({
      signal: stop.signal,
      onProgress: ({ task, done }) => {
        seen.push(task);
        if (task === when && done > 2) stop.abort(new Error("enough"));
      },
    });
    await expect(prepared).rejects.toThrow("enough");
    expect(seen.at(-1)).toBe(when);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("says where it cannot be written", async () => {
    writeFileSync(join(folder, "file"), "");
    await expect(
      prepareDataset(fairface, source("fairface"), join(folder, "file", "out"), { check: "used" }),
    ).rejects.toThrow(/cannot be written: ENOTDIR/);
  });
});
