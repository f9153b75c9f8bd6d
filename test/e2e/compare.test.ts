// invdiff evaluate --samples as a user types it: finished images of several models, measured and reported.
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
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { MetricTableJson } from "../../src/experiment/index.ts";
import { writeClassifierFolder } from "../classifier-folder.ts";
import { picturesOf, writeManifestFolder, writePromptFolders } from "../evaluation-parts.ts";
import { golden } from "../golden-dir.ts";
import { interruptCli, runCli } from "./cli.ts";

const MINUTES = 60_000;
const PROMPTS = { "a landbird": [0, 60, 120, 180], "a waterbird": [30, 90, 150, 210] };

let root = "";
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "invdiff-compare-"));
  await writePromptFolders(join(root, "base"), PROMPTS, { seed: 1 });
  await writePromptFolders(join(root, "guided"), PROMPTS, { seed: 2 });
  await writeManifestFolder(join(root, "sampled"), PROMPTS, { seed: 3 });
  await writePromptFolders(join(root, "pictures"), { real: [10, 80, 160, 240, 200] }, { seed: 4 });
  using pictures = picturesOf([0, 60, 120, 180, 30, 90, 150, 210], { size: 16, seed: 100 });
  writeClassifierFolder(join(root, "place"), { column: "place", values: ["water", "land"], pictures });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const env = () => ({
  env: { INVDIFF_NETWORKS: join(root, "networks"), HF_HUB_CACHE: join(root, "cache"), HF_HUB_OFFLINE: "1" },
});
const evaluate = (out: string, samples: readonly string[], ...more: string[]): string[] => [
  ...["evaluate", "--samples", ...samples.map((text) => text.replace("=", `=${root}/`))],
  ...["--out", join(root, out), "--bootstrap", "50", "--threads", "1", ...more],
];
const TWO = ["base=base", "guided=guided"];

describe("invdiff evaluate --samples", () => {
  it(
    "shows every metric that it can measure, what is missing, and where the report is",
    async () => {
      const given = ["--reference", join(root, "pictures", "real"), "--classifiers", join(root, "place")];
      // Labels that are numbers keep their columns.
      const samples = ["500=base", "base=guided", "20=sampled"];
      const more = [...given, "--clip", golden("tiny-clip"), "--seed", "5"];
      const { code, stdout, stderr } = await runCli(evaluate("out", samples, ...more), env());
      expect({ code, stderr }).toMatchObject({ code: 0 });
      const table = JSON.parse(readFileSync(join(root, "out", "evaluation.json"), "utf8")) as MetricTableJson;
      expect(table.models.map(({ label }) => label)).toEqual(["500", "base", "20"]);
      expect(table.base).toBe("base");
      const lines = stdout.split("\n");
      expect(lines[0]!.trim().split(/\s+/)).toEqual(["500", "base", "20"]);
      const shown = table.metrics.filter(({ skipped }) => skipped === null);
      expect(shown.map(({ key }) => key)).toEqual(
        `bias biasRaw biasCorrected clipT fid:features kid:features precision:features recall:features
         density:features coverage:features lpipsDiversity:features`.split(/\s+/),
      );
      for (const [i, { label, values }] of shown.entries()) {
        const numbers = table.models.map(({ key }) => values[key]!.value.toPrecision(4));
        expect(lines[1 + i]!.replace(label, "").trim().split(/\s+/)).toEqual(numbers);
      }
      expect(stdout).toMatch(
        /^FID: FID's Inception-v3 is not on this machine .* Get it: invdiff download network inception$/m,
      );
      expect(stdout).toMatch(/Get it: invdiff download network vgg16 lpips$/m);
      expect(stdout.trimEnd().endsWith(`Report: ${join(root, "out", "report.html")}`)).toBe(true);
      const html = readFileSync(join(root, "out", "report.html"), "utf8");
      expect(html).toContain("--samples");
      expect(html).toContain("colours averaged to 8 x 8 pixels");
    },
    2 * MINUTES,
  );

  it(
    "keeps what it has seen when it is stopped, and goes on from there",
    async () => {
      // The second model has enough pictures for Ctrl-C to arrive among them; those of the first are done by then.
      const many = Array.from({ length: 300 }, (_, i) => i % 256);
      await writePromptFolders(join(root, "many"), { "a landbird": many }, { seed: 6 });
      const args = evaluate("stopped", ["base=base", "many=many"], "--classifiers", join(root, "place"));
      const stopped = await interruptCli(args, /looking at many: probabilities/, env());
      expect({ code: stopped.code, stderr: stopped.stderr }).toMatchObject({ code: 130 });
      expect(stopped.stderr).toMatch(/looking at base: probabilities/);
      expect(stopped.stderr).toMatch(/To go on from here, run the same command again:\n.*evaluate --samples/);
      expect(readdirSync(join(root, "stopped"))).toEqual(["features"]);
      const again = await runCli(args, env());
      expect({ code: again.code, stderr: again.stderr }).toMatchObject({ code: 0 });
      expect(again.stderr).toMatch(/looking at many: probabilities/);
      expect(again.stderr).not.toMatch(/looking at base: probabilities/);
    },
    2 * MINUTES,
  );

  it(
    "ends with 1 and one sentence for the user's mistakes",
    async () => {
      mkdirSync(join(root, "foreign"));
      writeFileSync(join(root, "foreign", "thesis.txt"), "");
      const mistakes: [string[], RegExp][] = [
        [
          ["evaluate", "--samples", join(root, "base"), "--out", join(root, "wrong")],
          /expected LABEL=DIR, such as base=/,
        ],
        [evaluate("wrong", ["base=base", "base=guided"]), /names two models "base"; give each its own label/],
        [evaluate("wrong", ["base=nothing"]), /There is no folder .*nothing/],
        [evaluate("wrong", TWO, "--classifiers", join(root, "base")), /base does not say what it recognises/],
        [evaluate("foreign", TWO), /foreign exists and holds other files \(thesis\.txt\)/],
      ];
      const results = await Promise.all(mistakes.map(([args]) => runCli(args, env())));
      for (const [i, { code, stderr, stdout }] of results.entries()) {
        expect({ code, stderr, stdout }).toMatchObject({ code: 1, stdout: "" });
        expect(stderr).toMatch(mistakes[i]![1]);
        expect(stderr).toMatch(/(^|\n)error: /);
        expect(stderr).not.toMatch(/\n\s+at |fault of invdiff/);
      }
      expect(existsSync(join(root, "wrong"))).toBe(false);
    },
    2 * MINUTES,
  );
});
