// invdiff export as a user types it: what is said, where the model is, and mistakes that need no stack.
import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { COPY, finishedRun } from "../finished-run.ts";
import { runCli } from "./cli.ts";

let root = "";
beforeAll(() => {
  // Without links in it, as the command sees its own folder.
  root = realpathSync(mkdtempSync(join(tmpdir(), "invdiff-export-")));
  finishedRun(join(root, "run"), { guidance: COPY });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const exportCli = (...args: string[]) =>
  runCli(["export", "--run", "run", "--to", "fair", ...args], { cwd: root });

it("writes the form that is asked for and says where", async () => {
  const result = await exportCli("--as", "merged", "--dtype", "fp16");
  expect(result).toMatchObject({ code: 0, stdout: `Exported: ${join(root, "fair")}\n`, stderr: "" });
  expect(existsSync(join(root, "fair", "model_index.json"))).toBe(true);
  const again = await exportCli("--as", "invdiff");
  expect(again).toMatchObject({ code: 1, stdout: "" });
  expect(again.stderr).toBe(
    "error: fair holds an earlier export. Choose another folder (--to), or replace it (--force).\n",
  );
  const forced = await exportCli("--as", "merged", "--strength", "0", "--force");
  expect(forced).toMatchObject({ code: 0, stderr: "Note: at strength 0 the base alone is exported.\n" });
});

it.each([
  [["--as", "onnx"], /argument 'onnx' is invalid\. Allowed choices are merged, lora, invdiff\./],
  [[], /required option '--as <form>' not specified/],
  [
    ["--as", "lora", "--to", "other"],
    /is a network \(form difference, module copy\), not adapters\. Export it with --as invdiff\./,
  ],
  [
    ["--as", "merged", "--run", "nowhere", "--to", "other"],
    /nowhere does not exist; expected the folder of an experiment/,
  ],
  [["--as", "merged", "--strength", "much"], /Expected a number from 0/],
])("%j is refused in a line", async (args, message) => {
  const { code, stdout, stderr } = await exportCli(...args);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(readdirSync(root)).not.toContain("other");
});
