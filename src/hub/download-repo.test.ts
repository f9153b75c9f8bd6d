// Repositories into the cache, against a server like the hub: layout, resumption, tokens, faults, and working without a connection.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { gitSha1, type HubRepo, type HubServer, sha256, startHub, testBytes } from "../../test/hub-server.ts";
import { linkBlob } from "./cache.ts";
import { copyOut } from "./copy-out.ts";
import { downloadRepo, type DownloadProgress, type RepoDownload } from "./download-repo.ts";
import { RefusedError } from "./errors.ts";
import { planRepo } from "./repo-plan.ts";
import { parseDatasetName, resolveDataset } from "./resolve-dataset.ts";

const RETRY = { retries: 2, backoffMs: 1, maxWaitMs: 1000 };
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const weights = testBytes(200_000);
const config = Buffer.from('{"a": 1}\n');
const model: HubRepo = {
  ...{ type: "model", name: "own.er/Some_Model", commit: COMMIT },
  files: {
    "README.md": { bytes: Buffer.from("# about") },
    "config.json": { bytes: config },
    "model.safetensors": { bytes: weights, lfs: true },
    "pytorch_model.bin": { bytes: testBytes(900), lfs: true },
    "sub/a copy.json": { bytes: config },
  },
};

let hub: HubServer;
let cache = "";
beforeEach(async () => {
  hub = await startHub([model]);
  cache = mkdtempSync(join(tmpdir(), "invdiff-cache-"));
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  rmSync(cache, { recursive: true, force: true });
});

const request = (more: Partial<RepoDownload> = {}): RepoDownload => ({
  ...{
    repo: model.name,
    type: "model",
    endpoint: hub.url,
    cacheDir: cache,
    token: "",
    env: {},
    retry: RETRY,
  },
  ...more,
});
const root = () => join(cache, "models--own.er--Some_Model");
const fetches = () => hub.seen.filter(({ path }) => !path.startsWith("/api/") && !path.includes("/resolve/"));

describe("the cache", () => {
  it("is laid out as Python's: blobs by hash, relative links, the commit of the branch", async () => {
    const { path, files, commit } = await downloadRepo(request({ include: ["*"] }));
    expect(commit).toBe(COMMIT);
    expect(path).toBe(join(root(), "snapshots", COMMIT));
    expect(files).toEqual([
      "README.md",
      "config.json",
      "model.safetensors",
      "pytorch_model.bin",
      "sub/a copy.json",
    ]);
    expect(readFileSync(join(root(), "refs/main"), "utf8")).toBe(COMMIT);
    expect(readlinkSync(join(path, "model.safetensors"))).toBe(`../../blobs/${sha256(weights)}`);
    expect(readlinkSync(join(path, "sub/a copy.json"))).toBe(`../../../blobs/${gitSha1(config)}`);
    for (const name of files)
      expect(readFileSync(join(path, name)).equals(model.files[name]!.bytes)).toBe(true);
    // Equal files are one blob, fetched once; nothing unfinished and no lock stays.
    expect(readdirSync(join(root(), "blobs")).length).toBe(4);
    expect(
      readdirSync(cache, { recursive: true, encoding: "utf8" }).filter((name) =>
        /incomplete|lock$/.test(name),
      ),
    ).toEqual([]);
  });

  it("answers a second call with one request, and a call by commit with none", async () => {
    await downloadRepo(request());
    hub.seen.length = 0;
    await downloadRepo(request());
    expect(hub.seen.map(({ path }) => path)).toEqual([`/api/models/${model.name}/revision/main`]);
    hub.seen.length = 0;
    await downloadRepo(request({ revision: COMMIT }));
    expect(hub.seen).toEqual([]);
  });

  it("shares blobs between revisions; the branch moves when the new commit is complete", async () => {
    await downloadRepo(request());
    const commit = COMMIT.replace("0123", "ffff");
    const newer = Buffer.from('{"a": 2}');
    hub.repos[0] = { ...model, commit, files: { ...model.files, "config.json": { bytes: newer } } };
    hub.seen.length = 0;
    hub.fault = () => ({ status: 404 });
    await expect(downloadRepo(request())).rejects.toThrow(RefusedError);
    expect(readFileSync(join(root(), "refs/main"), "utf8")).toBe(COMMIT);
    hub.fault = () => undefined;
    const { path } = await downloadRepo(request());
    expect(readFileSync(join(path, "config.json")).equals(newer)).toBe(true);
    expect(readFileSync(join(root(), "refs/main"), "utf8")).toBe(commit);
    expect(readFileSync(join(root(), "snapshots", COMMIT, "config.json")).equals(config)).toBe(true);
    expect(hub.seen.filter(({ path: place }) => place.startsWith("/cdn/"))).toEqual([]);
  });

  it("of Python is used: a blob and a snapshot that are there are not fetched", async () => {
    mkdirSync(join(root(), "blobs"), { recursive: true });
    writeFileSync(join(root(), "blobs", sha256(weights)), weights);
    const pointer = join(root(), "snapshots", COMMIT, "config.json");
    mkdirSync(join(pointer, ".."), { recursive: true });
    writeFileSync(pointer, config);
    await downloadRepo(request({ include: ["config.json", "model.safetensors"] }));
    expect(hub.seen.filter(({ path }) => !path.startsWith("/api/"))).toEqual([]);
  });

  it("holds hard links or copies where there are no symbolic links", async () => {
    const blob = join(cache, "blob");
    writeFileSync(blob, "x");
    const refuse = () => Promise.reject(Object.assign(new Error("EPERM"), { code: "EPERM" }));
    await linkBlob(blob, join(cache, "a/pointer"), refuse);
    expect(lstatSync(join(cache, "a/pointer")).isFile()).toBe(true);
    expect(readFileSync(join(cache, "a/pointer"), "utf8")).toBe("x");
  });

  it("is read again on request, and what has changed bytes is fetched again", async () => {
    const { path } = await downloadRepo(request());
    const damaged = Buffer.from(weights);
    damaged[5] = (damaged[5] ?? 0) ^ 1;
    writeFileSync(join(root(), "blobs", sha256(weights)), damaged);
    await downloadRepo(request());
    expect(readFileSync(join(path, "model.safetensors")).equals(damaged)).toBe(true);
    const notes: string[] = [];
    await downloadRepo(request({ verify: true, onNote: (text) => notes.push(text) }));
    expect(readFileSync(join(path, "model.safetensors")).equals(weights)).toBe(true);
    expect(notes).toEqual([expect.stringMatching(/model\.safetensors in the cache has changed bytes/)]);
  });
});

describe("the choice of files", () => {
  const planned = async (more: Partial<RepoDownload>) =>
    (await planRepo(request(more))).files.map(({ path }) => path);

  it("is by default what loading needs, else by patterns in which * crosses folders", async () => {
    expect(await planned({})).toEqual(["config.json", "model.safetensors"]);
    expect(await planned({ include: ["*.json"] })).toEqual(["config.json", "sub/a copy.json"]);
    expect(await planned({ include: ["*"], exclude: ["sub/", "*.[bm][id]*"] })).toEqual([
      "config.json",
      "model.safetensors",
    ]);
    await expect(planned({ include: ["*.onnx"] })).rejects.toThrow(
      /No file .* is chosen by --include \*\.onnx.*README\.md/,
    );
  });

  it("reads listings of many pages", async () => {
    hub.pageSize = 2;
    expect((await planned({ include: ["*"] })).length).toBe(5);
    expect(hub.seen.filter(({ path }) => path.includes("/tree/")).length).toBe(3);
  });

  it("says what is there and what is missing", async () => {
    await downloadRepo(request({ include: ["config.json"] }));
    writeFileSync(join(root(), "blobs", `${sha256(weights)}.incomplete`), weights.subarray(0, 1000));
    const plan = await planRepo(request({ include: ["*"] }));
    expect(plan.files.map(({ path, state, held }) => [path, state, held])).toEqual([
      ["README.md", "missing", 0],
      ["config.json", "there", config.length],
      ["model.safetensors", "part", 1000],
      ["pytorch_model.bin", "missing", 0],
      ["sub/a copy.json", "blob", config.length],
    ]);
    expect(plan.missingBytes).toBe(7 + 199_000 + 900);
    expect(plan.totalBytes).toBe(7 + 2 * config.length + 200_000 + 900);
  });

  it("refuses names that would leave the cache, and files without a hash", async () => {
    for (const name of ["../../x", "/etc/x", "C:/x", "a\\..\\b"]) {
      hub.repos[0] = { ...model, files: { [name]: { bytes: config } } };
      await expect(planned({ include: ["*"] })).rejects.toThrow(/refused/);
    }
    await expect(planned({ repo: "../x" })).rejects.toThrow(/no name of a repository/);
    await expect(planned({ repo: "alone" })).rejects.toThrow(/OWNER\/NAME/);
    await expect(planned({ revision: "../../x" })).rejects.toThrow(/cannot be one/);
  });
});

describe("faults on the way", () => {
  it("cost only what was cut: a stopped download goes on, several files at once but not more than asked", async () => {
    const sizes = [400_000, ...Array.from({ length: 8 }, (_, i) => 20_000 + i)];
    const files = Object.fromEntries(
      sizes.map((size, i) => [`f${i}.parquet`, { bytes: testBytes(size, i + 1), lfs: true }]),
    );
    hub.repos.push({ type: "dataset", name: "o/d", commit: COMMIT, files });
    const controller = new AbortController();
    const reason = new Error("stopped");
    hub.fault = () => ({ throttle: [8000, 15] });
    const seen: DownloadProgress[] = [];
    const asked = request({
      repo: "o/d",
      type: "dataset",
      parallel: 3,
      onProgress: (progress) => seen.push(progress),
    });
    const onProgress = (progress: DownloadProgress) => progress.done > 100_000 && controller.abort(reason);
    await expect(downloadRepo({ ...asked, onProgress, signal: controller.signal })).rejects.toBe(reason);
    expect(hub.peak() === 2 || hub.peak() === 3).toBe(true);
    const parts = readdirSync(join(cache, "datasets--o--d", "blobs"));
    expect(parts.some((name) => name.endsWith(".incomplete"))).toBe(true);
    const held = parts.reduce(
      (sum, name) => sum + statSync(join(cache, "datasets--o--d", "blobs", name)).size,
      0,
    );
    hub.fault = () => undefined;
    hub.seen.length = 0;
    const { path } = await downloadRepo(asked);
    for (const [name, { bytes }] of Object.entries(files))
      expect(readFileSync(join(path, name)).equals(bytes)).toBe(true);
    expect(fetches().some(({ range }) => range !== undefined)).toBe(true);
    const total = Object.values(files).reduce((sum, { bytes }) => sum + bytes.length, 0);
    expect(seen[0]?.done).toBeGreaterThanOrEqual(held);
    expect(seen.at(-1)).toEqual({ done: total, total, files: 9, filesDone: 9 });
  });

  it("are borne: cut connections, busy API, wrong bytes once", async () => {
    hub.apiFault = (attempt) => (attempt === 1 ? { status: 503 } : undefined);
    hub.fault = (path, attempt) => {
      if (attempt === 1)
        return path.startsWith("/cdn/") ? { cutAfter: 50_000 } : { bytes: Buffer.from('{"a": 9}\n') };
      return undefined;
    };
    const notes: string[] = [];
    const { path } = await downloadRepo(request({ onNote: (text) => notes.push(text) }));
    expect(readFileSync(join(path, "model.safetensors")).equals(weights)).toBe(true);
    expect(readFileSync(join(path, "config.json")).equals(config)).toBe(true);
    expect(fetches().map(({ range }) => range)).toEqual([undefined, "bytes=50000-"]);
    expect(notes.join("\n")).toMatch(/status 503[^]*wrong bytes/);
  });

  it("end with words when bytes stay wrong; the first failure stops the others", async () => {
    hub.fault = (path) => (path.startsWith("/cdn/") ? { bytes: testBytes(200_000, 5) } : undefined);
    await expect(downloadRepo(request())).rejects.toThrow(
      /model\.safetensors of the model own\.er\/Some_Model came with wrong bytes twice/,
    );
    expect(existsSync(join(root(), "refs/main"))).toBe(false);
    expect(readdirSync(join(root(), "blobs")).filter((name) => name.startsWith(sha256(weights)))).toEqual([]);
  });
});

describe("tokens", () => {
  const locked = { ...model, token: "tok" };

  it("open private repositories, whatever they begin with, and are never sent to another host", async () => {
    hub.repos[0] = locked;
    const { path } = await downloadRepo(request({ token: "tok" }));
    expect(readFileSync(join(path, "model.safetensors")).equals(weights)).toBe(true);
    const other = hub.seen.filter(({ host }) => host.startsWith("localhost"));
    expect(other.map(({ authorization }) => authorization)).toEqual([undefined]);
    const own = hub.seen.filter(({ host }) => !host.startsWith("localhost"));
    expect(new Set(own.map(({ authorization }) => authorization))).toEqual(new Set(["Bearer tok"]));
  });

  it("do not follow a listing to another host", async () => {
    hub.pageSize = 2;
    hub.repos[0] = locked;
    const { url } = hub;
    Object.assign(hub, { url: hub.otherUrl }); // Links of the listing lead there now.
    await expect(downloadRepo(request({ endpoint: url, token: "tok" }))).rejects.toThrow(RefusedError);
    const other = hub.seen.filter(({ host }) => host.startsWith("localhost"));
    expect(other.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  const failing = async (repo: HubRepo, more: Partial<RepoDownload>) => {
    hub.repos[0] = repo;
    const error: unknown = await downloadRepo(request(more)).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).not.toContain("tok-of-mine");
    return String(error);
  };

  it("are asked for with words: licence, spelling, revision", async () => {
    const gated = { ...locked, gated: true };
    expect(await failing(gated, {})).toMatch(
      /licence accepted first: open http:\/\/127\.0\.0\.1:\d+\/own\.er\/Some_Model, sign in and accept it, then set HF_TOKEN .*\/settings\/tokens/,
    );
    expect(await failing(gated, { token: "tok-of-mine" })).toMatch(
      /answered 403.*must belong to the account that accepted/,
    );
    expect(await failing(locked, {})).toMatch(/answered 401.*spelling of OWNER\/NAME.*private, set HF_TOKEN/);
    expect(await failing(model, { repo: "own.er/some_model" })).toMatch(
      /answered 404.*capital letters count/,
    );
    expect(await failing(locked, { token: "tok-of-mine" })).toMatch(/may not read it|not valid/);
    expect(await failing(model, { revision: "v9" })).toMatch(/There is no revision "v9"/);
  });
});

describe("without a connection", () => {
  it("HF_HUB_OFFLINE takes the cache alone, or says what to do", async () => {
    const env = { HF_HUB_OFFLINE: "1" };
    await expect(downloadRepo(request({ env }))).rejects.toThrow(
      /not in the cache.*HF_HUB_OFFLINE is set.*invdiff download model own\.er/,
    );
    const { path } = await downloadRepo(request());
    hub.seen.length = 0;
    expect((await downloadRepo(request({ env }))).path).toBe(path);
    await expect(downloadRepo(request({ env, include: ["*"] }))).rejects.toThrow(
      /only in part.*2 files are missing \(README\.md/,
    );
    expect(hub.seen).toEqual([]);
  });

  it("what Python lists counts as complete only when it is all there", async () => {
    const env = { HF_HUB_OFFLINE: "1" };
    const pointer = join(root(), "snapshots", COMMIT);
    mkdirSync(pointer, { recursive: true });
    writeFileSync(join(pointer, "config.json"), config);
    const planned = () => planRepo(request({ env, revision: COMMIT, include: ["*.json", "*.safetensors"] }));
    expect((await planned()).files.map(({ path }) => path)).toEqual(["config.json"]);
    const files = {
      "config.json": { size: config.length, blob_id: gitSha1(config) },
      "model.safetensors": {
        size: 130,
        blob_id: gitSha1(config),
        lfs_sha256: sha256(weights),
        lfs_size: weights.length,
      },
    };
    mkdirSync(join(root(), "trees"));
    writeFileSync(join(root(), "trees", `${COMMIT}.json`), JSON.stringify({ format_version: 1, files }));
    await expect(planned()).rejects.toThrow(/1 files are missing \(model\.safetensors/);
    writeFileSync(join(pointer, "model.safetensors"), weights);
    expect((await planned()).missingBytes).toBe(0);
  });

  it("a complete copy in the cache is used, and said so; a no of the server is not covered up", async () => {
    const { path } = await downloadRepo(request());
    hub.apiFault = () => ({ status: 502 });
    const notes: string[] = [];
    expect((await downloadRepo(request({ onNote: (text) => notes.push(text) }))).path).toBe(path);
    expect(notes.at(-1)).toMatch(/status 502.*The copy in the cache is used/);
    await expect(downloadRepo(request({ include: ["*"] }))).rejects.toThrow(/status 502/);
    hub.repos.length = 0;
    await expect(downloadRepo(request())).rejects.toThrow(RefusedError);
  });
});

describe("data sets by name", () => {
  const set: HubRepo = {
    ...{ type: "dataset", name: "o/birds", commit: COMMIT, revisions: ["main", "refs/convert/parquet"] },
    files: {
      "README.md": { bytes: config },
      "data/train-00000-of-00001.parquet": { bytes: testBytes(5000), lfs: true },
      "script.py": { bytes: config },
    },
  };
  beforeEach(() => hub.repos.push(set));

  it("are OWNER/NAME or hf:// addresses with a revision", () => {
    expect(parseDatasetName("o/birds")).toEqual({ repo: "o/birds", revision: "main" });
    expect(parseDatasetName("o/birds@v1")).toEqual({ repo: "o/birds", revision: "v1" });
    expect(parseDatasetName("hf://datasets/o/birds@refs/convert/parquet")).toEqual({
      ...{ repo: "o/birds", revision: "refs/convert/parquet" },
    });
    for (const path of ["./o/birds", "/o/birds", "o", "a/b/c", "o/birds@", "C:/x", "..", "../x"])
      expect(parseDatasetName(path)).toBeUndefined();
    expect(() => parseDatasetName("hf://models/o/x")).toThrow(/no data set/);
  });

  it("are downloaded once, with the files that can be opened, then found without asking", async () => {
    const { repo: _, type: _type, revision: _revision, ...options } = request();
    const first = await resolveDataset("hf://datasets/o/birds@refs/convert/parquet", options);
    expect(first).toMatchObject({
      repo: "o/birds",
      files: ["data/train-00000-of-00001.parquet"],
      commit: COMMIT,
    });
    expect(existsSync(join(cache, "datasets--o--birds/refs/refs/convert/parquet"))).toBe(true);
    hub.seen.length = 0;
    expect((await resolveDataset("o/birds@refs/convert/parquet", options)).path).toBe(first.path);
    expect(hub.seen).toEqual([]);
    rmSync(join(first.path, "data/train-00000-of-00001.parquet"));
    await resolveDataset("o/birds@refs/convert/parquet", options);
    expect(existsSync(join(first.path, "data/train-00000-of-00001.parquet"))).toBe(true);
    await expect(resolveDataset("what is this", options)).rejects.toThrow(/no name of a data set/);
  });
});

describe("a copy of a snapshot", () => {
  it("is an ordinary folder of its own; other files in it are not replaced without force", async () => {
    const found = await downloadRepo(request());
    const to = join(cache, "copy");
    await copyOut(found, to);
    writeFileSync(join(to, "config.json"), "changed");
    expect(readFileSync(join(found.path, "config.json")).equals(config)).toBe(true);
    await expect(copyOut(found, to)).rejects.toThrow(/other files of these names: config\.json/);
    await copyOut(found, to, { force: true });
    expect(readFileSync(join(to, "config.json")).equals(config)).toBe(true);
    expect(lstatSync(join(to, "model.safetensors")).isFile()).toBe(true);
  });
});
