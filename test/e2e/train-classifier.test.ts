// invdiff train-classifier as a user types it: what it prints, killed and stopped in between, and mistakes.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeTonedPictures } from "../toned-pictures.ts";
import { Cli, interruptCli, runCli } from "./cli.ts";

const MINUTES = 60_000;
let root = "";
let data = "";
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "invdiff-classifier-"));
  data = join(root, "pictures");
  await writeTonedPictures(data, { train: 24, validation: 8 });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const SMALL = "--image-size 32 --epochs 3 --batch-size 8 --lr 1e-3 --threads 1".split(" ");
const args = (out: string, ...more: string[]): string[] => [
  ...["train-classifier", "--data", data, "--out", join(root, out), ...SMALL],
  ...(more.includes("--label") ? more : ["--label", "tone", ...more]),
];
/** No network has been downloaded here. */
const env = () => ({ env: { INVDIFF_NETWORKS: join(root, "networks") } });

describe("invdiff train-classifier", () => {
  it(
    "says what it does, how good the classifier is, and what comes next",
    async () => {
      const { code, stdout, stderr } = await runCli(args("whole"), env());
      expect({ code, stderr }).toMatchObject({ code: 0 });
      expect(stderr).toMatch(
        /"tone" of 24 images \(dark: 12, light: 12\); 8 images for validation; no test split/,
      );
      expect(stderr).toMatch(
        /resnet18, 32 pixels, trained from scratch; .*invdiff download network resnet18/,
      );
      expect(stderr).toMatch(/3 epochs of 3 batches of 8, Adam at 0\.001, seed 0, cpu, mirrored at random/);
      expect(stderr).toMatch(/epoch 3 of 3: loss 0\.\d+, on validation 0\.\d+, accuracy [01]\.\d+, F1/);
      expect(stdout).toMatch(/^Trained: .*whole \(best epoch: \d\)\n"tone": dark, light; .* of "light"/);
      expect(stdout).toMatch(/\n {2}train {7}24 {6}\d\.\d{4} \(/);
      expect(stdout).toMatch(/\n {2}validation {2}8 {7}1\.0000 \(1\.000\.\.1\.000\)/);
      expect(stdout).toMatch(/evaluate --out RUN --classifiers .*whole\n$/);
    },
    2 * MINUTES,
  );

  it(
    "goes on after being killed and after Ctrl-C, to the same bits",
    async () => {
      const killed = new Cli(args("stopped"), env());
      await killed.waitFor(/epoch 1 of 3/);
      killed.send("SIGKILL");
      await killed.end();
      const stopped = await interruptCli(args("stopped"), /tone: training [4-9]\/9/, env());
      expect(stopped.code).toBe(130);
      expect(stopped.stderr).toMatch(
        /To go on from here, run the same command again:\n.*train-classifier --data/,
      );
      expect((await runCli(args("stopped"), env())).code).toBe(0);
      for (const name of ["model.safetensors", "metrics.jsonl", "classifier.json"]) {
        const [ours, whole] = ["stopped", "whole"].map((out) => readFileSync(join(root, out, name)));
        expect({ name, equal: ours!.equals(whole!) }).toEqual({ name, equal: true });
      }
      const again = await runCli(args("stopped"), env());
      expect(again.stdout).toMatch(/stopped holds this classifier already\./);
    },
    3 * MINUTES,
  );

  it(
    "trains one classifier for each label below --out",
    async () => {
      const more = ["--label", "tone", "--label", "third", "--epochs", "1", "--no-flip", "--balance"];
      const { code, stdout, stderr } = await runCli(args("both", ...more), env());
      expect({ code, stderr }).toMatchObject({ code: 0 });
      expect(stderr).toMatch(/cpu, values balanced;/);
      expect(stdout).toMatch(/"third": 0, 1, 2; averages over the values/);
      for (const label of ["tone", "third"])
        expect(existsSync(join(root, "both", label, "classifier.json"))).toBe(true);
      expect(stdout).toMatch(/--classifiers \S*both\/tone \S*both\/third\n$/);
    },
    2 * MINUTES,
  );

  it(
    "ends with 1 and one sentence for the user's mistakes",
    async () => {
      const mistakes: [string[], RegExp][] = [
        [["--label", "tones"], /error: .*has no text or number under "tones".*tone/],
        [["--label", "same"], /error: "same" is x for all 32 images/],
        [["--init", join(root, "nothing.pth")], /error: .*nothing\.pth does not exist/],
        [["--model", "resnet34"], /error: .*resnet34.* is invalid/],
      ];
      for (const [more, pattern] of mistakes) {
        const { code, stderr } = await runCli(args("wrong", ...more), env());
        expect({ code, stderr }).toMatchObject({ code: 1 });
        expect(stderr).toMatch(pattern);
        expect(stderr).not.toMatch(/\n\s+at /);
      }
      expect(existsSync(join(root, "wrong"))).toBe(false);
    },
    MINUTES,
  );
});
