// Feature networks and the published artefacts, from a server on this machine.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type HubServer, startHub, testBytes } from "../../test/hub-server.ts";
import { zipBytes } from "../../test/zip-bytes.ts";
import { downloadNetwork, KNOWN_NETWORKS, networkName, networkPath, networkUrl } from "./networks.ts";
import { downloadPublished, PUBLISHED_REPO, publishedSet } from "./published.ts";

const COMMIT = "89abcdef0123456789abcdef0123456789abcdef";
const RETRY = { retries: 1, backoffMs: 1, maxWaitMs: 100 };

let hub: HubServer;
let folder = "";
beforeEach(async () => {
  hub = await startHub();
  folder = mkdtempSync(join(tmpdir(), "invdiff-published-"));
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

describe("networks", () => {
  it("have the checksum that is in their names, where the publisher puts one there", () => {
    for (const [name, network] of Object.entries(KNOWN_NETWORKS)) {
      if ("repo" in network) continue;
      expect(network.url.endsWith(network.file) || name === "lpips").toBe(true);
      const inName = /-([0-9a-f]{8})\.pth$/.exec(network.file)?.[1];
      expect(network.sha256.startsWith(inName ?? network.sha256)).toBe(true);
      expect(network.sha256).toMatch(/^([0-9a-f]{8}|[0-9a-f]{64})$/);
    }
    expect(() => networkName("vgg")).toThrow(/no network "vgg".*inception, vgg16, lpips/);
  });

  it("are taken from --url, INVDIFF_MIRROR or the known address", () => {
    const env = { INVDIFF_MIRROR: "https://mirror.example/nets/" };
    expect(networkUrl("vgg16", { env })).toBe("https://mirror.example/nets/vgg16-397923af.pth");
    expect(networkUrl("vgg16", { env, url: "https://x.example/y" })).toBe("https://x.example/y");
    expect(networkUrl("vgg16", { env: {} })).toBe("https://download.pytorch.org/models/vgg16-397923af.pth");
  });

  it("with other bytes are not kept", async () => {
    hub.plain.set("/nets/vgg16-397923af.pth", testBytes(1000));
    const options = { env: { INVDIFF_MIRROR: `${hub.url}/nets`, INVDIFF_NETWORKS: folder }, retry: RETRY };
    await expect(downloadNetwork("vgg16", options)).rejects.toThrow(/wrong bytes twice.*expected 397923af/);
    expect(networkPath("vgg16", options)).toBeUndefined();
  });

  it("clip is a repository in the cache", async () => {
    const files = {
      "config.json": { bytes: Buffer.from("{}") },
      "pytorch_model.bin": { bytes: testBytes(500), lfs: true },
    };
    hub.repos.push({ type: "model", name: KNOWN_NETWORKS.clip.repo, commit: COMMIT, files });
    const options = { endpoint: hub.url, cacheDir: folder, token: "", env: {}, retry: RETRY };
    expect(networkPath("clip", options)).toBeUndefined();
    const { path } = await downloadNetwork("clip", options);
    expect(existsSync(join(path, "pytorch_model.bin"))).toBe(true);
    const copy = await downloadNetwork("clip", { ...options, to: join(folder, "nets") });
    expect(copy.path).toBe(join(folder, "nets/clip-vit-base-patch16"));
    expect(existsSync(join(copy.path, "config.json"))).toBe(true);
    hub.seen.length = 0;
    expect(networkPath("clip", options)).toBe(path);
    expect(hub.seen).toEqual([]);
    await expect(downloadNetwork("clip", { ...options, url: "https://x.example" })).rejects.toThrow(
      /HF_ENDPOINT, not by --url/,
    );
  });
});

describe("published artefacts", () => {
  const zip = (inside: string) => ({
    bytes: zipBytes([{ name: inside, bytes: testBytes(2000) }]),
    lfs: true,
  });
  beforeEach(() =>
    hub.repos.push({
      ...{ type: "model", name: PUBLISHED_REPO, commit: COMMIT },
      files: {
        "invariant/ckpts/celeba/classifier.zip": zip("classifier/gender2/model.pth"),
        "invariant/ckpts/celeba/groupers.zip": zip("grouper.pth"),
        "invariant/ckpts/celeba/models.zip": zip("models/a/unet.bin"),
        "invariant/ckpts/waterbird/classifier.zip": zip("../../../evil"),
        "invariant/datasets/celeba/train.zip": zip("train/0.png"),
        "invariant/datasets/waterbirds.zip": zip("waterbirds/0.png"),
      },
    }),
  );
  const get = (more: object) =>
    downloadPublished({
      ...{
        endpoint: hub.url,
        cacheDir: join(folder, "cache"),
        token: "",
        env: {},
        retry: RETRY,
        to: join(folder, "out"),
      },
      ...more,
    });

  it("are unpacked into the reference's folders, whether the zip has its folder inside or not", async () => {
    const unpacked = await get({ sets: ["celeba"] });
    const place = join(folder, "out/invariant/ckpts/celeba");
    expect(unpacked.map(({ path }) => path)).toEqual(
      ["classifier", "groupers", "models"].map((name) => join(place, name)),
    );
    for (const name of ["classifier/gender2/model.pth", "groupers/grouper.pth", "models/a/unet.bin"])
      expect(readFileSync(join(place, name)).equals(testBytes(2000))).toBe(true);
    hub.seen.length = 0;
    const again = await get({ sets: ["celeba"] });
    expect(again.map(({ kept }) => kept)).toEqual([true, true, true]);
    expect(hub.seen.length).toBe(1);
  });

  it("include the data sets when they are asked for, in either spelling", async () => {
    const sets = [publishedSet("celeba"), publishedSet("Waterbirds")];
    const unpacked = await get({ sets, only: ["datasets"] });
    expect(unpacked.map(({ path }) => path.slice(join(folder, "out").length))).toEqual([
      "/invariant/datasets/celeba/train",
      "/invariant/datasets/waterbirds",
    ]);
    expect(existsSync(join(folder, "out/invariant/datasets/celeba/train/0.png"))).toBe(true);
  });

  it("that are missing or hostile end with words", async () => {
    await expect(get({ sets: ["fairness"] })).rejects.toThrow(
      /has no classifier of fairness any more.*--only/,
    );
    await expect(get({ sets: ["waterbird"], only: ["classifier"] })).rejects.toThrow(
      /"\.\.".*nothing was unpacked/,
    );
    expect(existsSync(join(folder, "evil"))).toBe(false);
    expect(() => publishedSet("birds")).toThrow(/expected celeba, fairness, waterbird/);
  });
});
