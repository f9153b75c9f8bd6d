// What users get wrong: a clear message, the right exit code, nothing touched.
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
import { interruptCli, runCli } from "./cli.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "invdiff-bad-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a command that must fail as the user's mistake; gives what it said. */
async function mistake(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runCli(args, { cwd: folder });
  expect({ code, stdout, stderr }).toMatchObject({ code: 1, stdout: "" });
  expect(stderr).not.toMatch(/\n\s+at /);
  return stderr;
}

function write(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return name;
}

describe("the command line", () => {
  it("answers --version and --help", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    expect(await runCli(["--version"])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: "" });
    const help = await runCli(["--help"]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    const commands = "quickstart run finetune infer-groups train sample evaluate report birds doctor".split(
      " ",
    );
    for (const name of commands) expect(help.stdout).toMatch(new RegExp(`^  ${name} `, "m"));
  });

  it("without a command shows the help and fails", async () => {
    expect(await mistake()).toContain("Usage: invdiff");
  });

  it("knows near commands and options", async () => {
    expect(await mistake("quikstart")).toContain("Did you mean quickstart?");
    expect(await mistake("quickstart", "--forse")).toContain("Did you mean --force?");
    expect(await mistake("quickstart", "--seed", "x")).toContain("Expected a whole number of at least 0.");
    expect(await mistake("run")).toContain("missing required argument 'file'");
    expect(await mistake("quickstart", "--groups", "none")).toContain("inferred, oracle, reference");
  });

  it("prints every setting, which can be read again", async () => {
    const printed = await runCli(["quickstart", "--set", "base.steps=7", "--print-config"], { cwd: folder });
    expect(printed).toMatchObject({ code: 0, stderr: "" });
    const again = await runCli(["run", write("all.yaml", printed.stdout), "--print-config"], { cwd: folder });
    expect(again.stdout).toBe(printed.stdout);
    expect(again.stdout).toContain("steps: 7");
  });
});

describe("a configuration", () => {
  it("with an unknown key is refused with its place", async () => {
    expect(await mistake("run", write("key.yaml", "# mine\nguidance:\n  lamda: 2\n"))).toBe(
      'error: key.yaml:3:3: unknown key "lamda" in "guidance". Did you mean "lambda"?\n',
    );
  });

  it("that is not there, or no YAML, is named", async () => {
    expect(await mistake("run", "none.yaml")).toContain("none.yaml does not exist");
    expect(await mistake("run", write("no.yaml", "base: [1\n"))).toContain(
      "error: no.yaml:2:1: not valid YAML",
    );
  });

  it("with a missing folder is refused", async () => {
    const yaml = write("folder.yaml", "data:\n  kind: folder\n  path: images\n");
    expect(await mistake("run", yaml)).toContain(`folder.yaml:3:9: data.path is ${join(folder, "images")}`);
    expect(await mistake("finetune", "--data", "images", "--out", "o")).toContain("--data: data.path is");
    expect(await mistake("quickstart", "--set", "model.path=none")).toContain(
      "--set model.path=none: model.path is",
    );
    expect(await mistake("sample", "--out", "o")).toContain("give --data DIR or --config FILE");
    expect(existsSync(join(folder, "o"))).toBe(false);
  });
});

describe("images", () => {
  const line = (name: string, text?: string) => `${JSON.stringify({ file_name: name, text })}\n`;
  const finetune = () => mistake("finetune", "--data", "photos", "--out", "photos-out");

  it("without a caption are named by their line", async () => {
    mkdirSync(join(folder, "photos"));
    write("photos/a.png", "no picture");
    write("photos/metadata.jsonl", line("a.png"));
    expect(await finetune()).toContain(
      'metadata.jsonl, line 1: "a.png" has no caption. Expected a string or a list of strings under "text"',
    );
  });

  it("that are no images are named", async () => {
    write("photos/metadata.jsonl", line("a.png", "a photo"));
    expect(await finetune()).toContain("a.png cannot be read as an image");
    // Mended, the same folder goes on: nothing half-made counts as finished.
    expect(readdirSync(join(folder, "photos-out"))).not.toContain("latents");
  });
});

describe("a device", () => {
  it("that is absent is refused before any work", async () => {
    expect(await mistake("quickstart", "--set", "device=cuda:63", "--out", "gpu")).toContain(
      "device is cuda:63, but",
    );
    expect(existsSync(join(folder, "gpu"))).toBe(false);
  });
});

describe("--out", () => {
  it("that holds other files is left alone", async () => {
    mkdirSync(join(folder, "mine"));
    write("mine/thesis.txt", "text");
    expect(await mistake("quickstart", "--out", "mine")).toContain(
      "mine exists and holds other files (thesis.txt)",
    );
    expect(readdirSync(join(folder, "mine"))).toEqual(["thesis.txt"]);
  });

  it("that is a file is refused", async () => {
    expect(await mistake("quickstart", "--out", write("plain", ""))).toContain("plain is a file");
  });
});

describe("birds", () => {
  const few = ["--train", "6", "--validation", "2"];

  it("writes a folder once, and replaces it only when forced", async () => {
    const first = await runCli(["birds", "--out", "b", ...few], { cwd: folder });
    expect(first).toMatchObject({ code: 0, stdout: "Wrote 6 training and 2 validation images to b\n" });
    expect(await mistake("birds", "--out", "b", ...few)).toContain("b exists already");
    expect((await runCli(["birds", "--out", "b", "--force", ...few], { cwd: folder })).code).toBe(0);
    expect(await mistake("birds", "--out", "mine", "--force", ...few)).toContain("is not a Birds folder");
    expect(await mistake("birds", "--out", "c", "--balance", "2")).toContain(
      "Expected a number from 0 to 1.",
    );
  });

  it("stops at Ctrl-C with 130 and leaves nothing", async () => {
    const result = await interruptCli(["birds", "--out", "many", "--train", "200000"], /drawing/, {
      cwd: folder,
    });
    expect(result).toMatchObject({ code: 130, stdout: "" });
    expect(result.stderr).toMatch(
      /run the same command again:\n {2}node .*src\/cli\/main\.ts birds --out many --train 200000\n/,
    );
    expect(readdirSync(folder).filter((name) => name.startsWith("many"))).toEqual([]);
  });
});
