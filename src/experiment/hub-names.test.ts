// Names of repositories in a configuration, against a server like the hub on this machine.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type HubRepo, type HubServer, startHub, testBytes } from "../../test/hub-server.ts";
import { ConfigError } from "../torch/errors.ts";
import { asHubName, hubNames, hubOverrides } from "./hub-names.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const model: HubRepo = {
  ...{ type: "model", name: "own/tiny", commit: COMMIT, revisions: ["main", "v2"] },
  files: {
    "config.json": { bytes: Buffer.from("{}") },
    "model.safetensors": { bytes: testBytes(5000), lfs: true },
    "pytorch_model.bin": { bytes: testBytes(9000), lfs: true },
  },
};
const birds: HubRepo = {
  ...{ type: "dataset", name: "own/birds", commit: COMMIT },
  files: { "data/train-00000-of-00001.parquet": { bytes: testBytes(3000, 2), lfs: true } },
};

let hub: HubServer;
let root = "";
beforeEach(async () => {
  hub = await startHub([model, birds]);
  root = mkdtempSync(join(tmpdir(), "hub-names-"));
  const env = { HF_ENDPOINT: hub.url, HF_HUB_CACHE: join(root, "cache"), HF_TOKEN: "", HF_HUB_OFFLINE: "" };
  for (const [name, value] of Object.entries({ ...env, HF_TOKEN_PATH: join(root, "token") }))
    vi.stubEnv(name, value);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

const override = (path: string, value: string) => ({ path: path.split("."), value, label: `--${path}` });

describe("hubNames", () => {
  it("are the settings that begin with hf://, of the file and of the options", () => {
    const file = join(root, "experiment.yaml");
    writeFileSync(file, "model:\n  path: hf://own/tiny\ndata:\n  path: pictures\n");
    expect(hubNames({ file })).toEqual([{ path: ["model", "path"], type: "model", name: "hf://own/tiny" }]);
    const overrides = [
      override("data.path", "hf://datasets/own/birds@v1"),
      override("model.path", "somewhere"),
      override("data.validationPath", "hf://datasets/own/birds"),
    ];
    expect(hubNames({ file, overrides }).map(({ path, type, name }) => [path.join("."), type, name])).toEqual(
      [
        ["data.path", "dataset", "hf://datasets/own/birds@v1"],
        ["data.validationPath", "dataset", "hf://datasets/own/birds"],
      ],
    );
    expect(hubNames({})).toEqual([]);
  });
});

describe("hubOverrides", () => {
  it("put the folder of the cache in the place of the name, once downloaded for good", async () => {
    const options = {
      overrides: [override("model.path", "hf://own/tiny"), override("data.path", "hf://datasets/own/birds")],
    };
    const told = { repos: new Set<string>(), notes: [] as string[] };
    const listeners = {
      onProgress: ({ repo }: { repo: string }) => void told.repos.add(repo),
      onNote: (text: string) => void told.notes.push(text),
    };
    const found = await hubOverrides(options, listeners);
    const snapshots = (kind: string) => join(root, "cache", kind, "snapshots", COMMIT);
    expect(found.map(({ path, value }) => [path.join("."), value])).toEqual([
      ["data.path", snapshots("datasets--own--birds")],
      ["model.path", snapshots("models--own--tiny")],
    ]);
    expect(found[1]!.label).toBe("model.path (hf://own/tiny)");
    expect(readFileSync(join(found[1]!.value as string, "model.safetensors"))).toEqual(testBytes(5000));
    // One set of weights is enough.
    expect(existsSync(join(found[1]!.value as string, "pytorch_model.bin"))).toBe(false);
    expect(told.repos.size).toBe(2);
    expect(told.notes).toContain(`hf://own/tiny: ${snapshots("models--own--tiny")}`);
    const asked = hub.seen.length;
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await hubOverrides(options)).toEqual(found);
    expect(hub.seen).toHaveLength(asked);
  });

  it("takes the revision, and hf://models/ too", async () => {
    const [found] = await hubOverrides({ overrides: [override("model.path", "hf://models/own/tiny@v2")] });
    expect(found!.value).toBe(join(root, "cache", "models--own--tiny", "snapshots", COMMIT));
    expect(hub.seen.some(({ path }) => path.endsWith("/revision/v2"))).toBe(true);
  });

  it("refuses names that are none, and what the server does not have", async () => {
    const run = (path: string, value: string) => hubOverrides({ overrides: [override(path, value)] });
    await expect(run("model.path", "hf://tiny")).rejects.toThrow(ConfigError);
    await expect(run("model.path", "hf://datasets/own/birds")).rejects.toThrow(/expected OWNER\/NAME/);
    await expect(run("model.path", "hf://own/tiny@")).rejects.toThrow(/revision "" cannot be one/);
    await expect(run("data.path", "hf://own/birds")).rejects.toThrow(/expected hf:\/\/datasets\/OWNER\/NAME/);
    await expect(run("model.path", "hf://own/other")).rejects.toThrow(/own\/other/);
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    await expect(run("model.path", "hf://own/tiny")).rejects.toThrow(
      /not in the cache .*Run once with a connection: invdiff download model own\/tiny/,
    );
  });

  it("asks nobody when there are no names", async () => {
    expect(await hubOverrides({ overrides: [override("model.path", "models/tiny")] })).toEqual([]);
    expect(hub.seen).toEqual([]);
  });
});

describe("asHubName", () => {
  it("leaves folders and paths alone", () => {
    for (const path of [root, "./own/birds", "../own/birds", "/own/birds", "birds", "a/b/c", "hf://own/tiny"])
      expect(asHubName(path, "dataset")).toBe(path);
    // test/golden is there in this folder.
    expect(asHubName("test/golden", "dataset")).toBe("test/golden");
  });

  it("makes addresses of repositories' names", () => {
    expect(asHubName("own/birds", "dataset")).toBe("hf://datasets/own/birds");
    expect(asHubName("own/tiny@v2", "model")).toBe("hf://own/tiny@v2");
  });
});
