import { Command } from "@commander-js/extra-typings";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { makeCeleba } from "../../test/official-folders.ts";
import { addDataPrepare } from "./data-prepare.ts";

let folder: string;
const shown = { out: "", err: "" };
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "data-prepare-"));
  Object.assign(shown, { out: "", err: "" });
  vi.spyOn(console, "log").mockImplementation((text: string) => void (shown.out += `${text}\n`));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    shown.err += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs "data prepare ..." as the program would. */
async function run(...args: string[]): Promise<void> {
  const data = new Command("data").exitOverride();
  addDataPrepare(data);
  data.commands[0]!.exitOverride().commands.forEach((command) => command.exitOverride());
  await data.parseAsync(["prepare", ...args], { from: "user" });
}

describe("invdiff data prepare", () => {
  it("prints the counts before it copies, then what was written and how it is used", async () => {
    const counts = { train: [2, 3, 9, 1100], validation: [2, 2, 2, 2], test: [1, 1, 1, 1] };
    await makeCeleba(join(folder, "celeba"), { size: 8, counts, brownEvery: 0 });
    const out = join(folder, "out");
    await run("celeba", join(folder, "celeba"), "--out", out, "--ratio", "1_1_4_400", "--against", "black");
    expect(shown.err).toContain(
      [
        "Training images 1:1:4:400:",
        "  group                train         validation  test",
        "  0 man, blond         2 of 2        2 of 2      1 of 1",
        "  1 woman, blond       2 of 3        2 of 2      1 of 1",
        "  2 man, black hair    8 of 9        2 of 2      1 of 1",
        "  3 woman, black hair  800 of 1,100  2 of 2      1 of 1",
        "  all                  812 of 1,114  8 of 8      4 of 4",
        "  0 images in no group: neither blond nor black hair, or both",
        "",
      ].join("\n"),
    );
    expect(shown.err.indexOf("checking images")).toBeLessThan(shown.err.indexOf("Training images"));
    expect(shown.err.indexOf("copying")).toBeGreaterThan(shown.err.indexOf("Training images"));
    expect(shown.err).toMatch(/celeba: checking images 1,126\/1,126 .*image\/s/);
    expect(shown.out).toBe(
      `Wrote 812 train, 8 validation, 4 test images to ${out}.\nIn a configuration:\n` +
        `  data: { kind: folder, path: ${out}, validationPath: ${join(out, "validation")} }\n` +
        `  evaluation: { subjectColumn: hair, hiddenColumn: gender }\n`,
    );
    const summary = JSON.parse(readFileSync(join(out, "dataset.json"), "utf8")) as { against: string };
    expect(summary.against).toBe("black");
    expect(readdirSync(out).sort()).toEqual(["dataset.json", "test", "train", "validation"]);
  }, 30_000);

  it.each([
    [["celeba", "x"], /required option '--out <dir>'/],
    [["celeba", "x", "--out", "y", "--captions", "species"], /Allowed choices are hair, gender/],
    [["fairface", "x", "--out", "y", "--against", "black"], /unknown option '--against'/],
    [["waterbirds", "x", "--out", "y", "--size", "0"], /whole number of at least 1/],
    [["imagenet", "x"], /unknown command 'imagenet'/],
  ])("refuses %j", async (args, message) => {
    await expect(run(...args)).rejects.toThrow(message);
  });
});
