// `invdiff download` as a user runs it, against a server on this machine.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type HubRepo, type HubServer, startHub, testBytes } from "../hub-server.ts";
import { interruptCli, runCli } from "./cli.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const weights = testBytes(400_000);
const model: HubRepo = {
  ...{ type: "model", name: "own/tiny", commit: COMMIT },
  files: {
    "config.json": { bytes: Buffer.from("{}") },
    "model.safetensors": { bytes: weights, lfs: true },
    "model.fp16.safetensors": { bytes: testBytes(100), lfs: true },
  },
};

let hub: HubServer;
let home = "";
beforeEach(async () => {
  hub = await startHub([model]);
  home = mkdtempSync(join(tmpdir(), "invdiff-download-"));
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

const env = (more: Record<string, string> = {}) => ({
  ...{
    HF_HOME: home,
    HF_ENDPOINT: hub.url,
    HF_TOKEN: "",
    HF_HUB_CACHE: "",
    HF_HUB_OFFLINE: "",
    HF_TOKEN_PATH: "",
  },
  ...{ INVDIFF_NETWORKS: join(home, "networks"), INVDIFF_MIRROR: "" },
  ...more,
});
const run = (args: readonly string[], more?: Record<string, string>) =>
  runCli(["download", ...args], { env: env(more) });
const snapshot = () => join(home, "hub/models--own--tiny/snapshots", COMMIT);

describe("invdiff download", () => {
  it("lists what it would fetch, fetches it, and prints the folder", async () => {
    const dry = await run(["model", "own/tiny", "--dry-run"]);
    expect(dry.code).toBe(0);
    expect(dry.stdout).toMatch(
      /2 B {2}config\.json\n {4}400 kB {2}model\.safetensors\nmodel own\/tiny at main, commit 0123456789ab: 2 files, 400 kB/,
    );
    expect(dry.stdout).toMatch(/to fetch: 400 kB \(.* free\) -> .*snapshots/);
    expect(readdirSync(home)).toEqual([]);
    const { code, stdout, stderr } = await run(["model", "own/tiny", "--to", join(home, "copy")]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${join(home, "copy")}\n` });
    expect(stderr).toMatch(/download: own\/tiny 401\/401 {2}.*files done: 2/);
    for (const folder of [snapshot(), join(home, "copy")])
      expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
  });

  it("stops at Ctrl-C with what has arrived, and the same command goes on", async () => {
    hub.fault = () => ({ throttle: [10_000, 100] });
    const args = ["download", "model", "own/tiny"];
    const { code, stderr } = await interruptCli(args, /own\/tiny \d\d/, { env: env() });
    expect(code).toBe(130);
    expect(stderr).toMatch(/To go on from here, run the same command again:\n .*download model own\/tiny/);
    hub.fault = () => undefined;
    hub.seen.length = 0;
    expect((await run(["model", "own/tiny"])).code).toBe(0);
    expect(hub.seen.find(({ path }) => path.startsWith("/cdn/"))?.range).toMatch(/^bytes=[1-9]\d+-$/);
    expect(readFileSync(join(snapshot(), "model.safetensors")).equals(weights)).toBe(true);
  });

  it("explains refusals on one line, with exit code 1 and no stack", async () => {
    hub.repos[0] = { ...model, token: "tok", gated: true };
    const gated = await run(["model", "own/tiny"]);
    expect(gated.code).toBe(1);
    expect(gated.stderr.trim().split("\n").at(-1)).toMatch(
      /^error: 127\.0\.0\.1:\d+ answered 401 .*licence.*HF_TOKEN/,
    );
    expect(gated.stderr).not.toMatch(/ {4}at /);
    expect((await run(["model", "own/tiny"], { HF_TOKEN: "tok" })).code).toBe(0);
  });

  it("checks networks by the hash in their names", async () => {
    hub.plain.set("/resnet.pth", testBytes(1000));
    const wrong = await run(["network", "resnet18", "--url", `${hub.url}/resnet.pth`]);
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toMatch(/wrong bytes twice.*expected f37072fd/);
    const dry = await run(["network", "inception", "lpips", "--dry-run"]);
    expect(dry.stdout).toMatch(
      /inception: .*, 96 MB\n {2}https:\/\/github\.com\/.* -> .*networks\/pt_inception-2015-12-05-6726825d\.pth\nlpips/,
    );
  });
});
