import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { golden } from "../../../test/golden-dir.ts";
import { hashFolder } from "../hash.ts";
import { UserError } from "../../torch/index.ts";
import { findNetworks, hashOfPlace, isFound } from "./networks.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "networks-"));
  vi.stubEnv("INVDIFF_NETWORKS", join(root, "usual"));
  vi.stubEnv("HF_HUB_CACHE", join(root, "cache"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
function put(...path: string[]): string {
  const file = join(root, ...path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, `bytes of ${path.at(-1)}`);
  return file;
}
const INCEPTION = "pt_inception-2015-12-05-6726825d.pth";

describe("findNetworks", () => {
  it("finds the published files by their names, with the hash of their bytes", async () => {
    const inception = put("mine", INCEPTION);
    const vgg16 = put("mine", "vgg16-0123abcd.pth");
    const lpips = put("mine", "lpips", "weights", "v0.1", "vgg.pth");
    put("mine", "clip", "config.json");
    const found = await findNetworks({ networks: join(root, "mine") });
    expect(found.inception).toEqual({ path: inception, hash: sha256(`bytes of ${INCEPTION}`) });
    expect(found.vgg16).toEqual({ path: vgg16, hash: sha256("bytes of vgg16-0123abcd.pth") });
    expect(found.lpips).toEqual({ path: lpips, hash: sha256("bytes of vgg.pth") });
    const clip = join(root, "mine", "clip");
    expect(found.clip).toEqual({ path: clip, hash: await hashFolder(clip) });
  });

  it("sees that a file has changed", async () => {
    const file = put("usual", INCEPTION);
    const hash = async () => ((await findNetworks({})).inception as { hash: string }).hash;
    const before = await hash();
    writeFileSync(file, "other weights, of another size");
    expect(await hash()).toBe(sha256("other weights, of another size"));
    expect(before).not.toBe(await hash());
  });

  it("says of each that is missing where it was looked for and which command gets it", async () => {
    const found = await findNetworks({});
    for (const kind of ["inception", "vgg16", "lpips", "clip"] as const) {
      const why = found[kind];
      expect(isFound(why)).toBe(false);
      expect(why).toMatchObject({ command: `invdiff download network ${kind}` });
      expect((why as { reason: string }).reason).toContain(`in ${join(root, "usual")}).`);
    }
    expect((found.inception as { reason: string }).reason).toContain(
      `FID's Inception-v3 is not on this machine (looked for ${INCEPTION}`,
    );
  });

  it("names the folder in the command when another one is looked into", async () => {
    const found = await findNetworks({ networks: "/net works" });
    expect(found.lpips).toMatchObject({ command: "invdiff download network lpips --to '/net works'" });
    const plain = await findNetworks({ networks: join(root, "mine") });
    expect(plain.clip).toMatchObject({ command: `invdiff download network clip --to ${join(root, "mine")}` });
  });

  it("takes CLIP from the hub's cache, or from where it is told", async () => {
    const repo = join(root, "cache", "models--openai--clip-vit-base-patch16");
    const snapshot = join(repo, "snapshots", "a".repeat(40));
    cpSync(golden("tiny-clip"), snapshot, { recursive: true });
    mkdirSync(join(repo, "refs"));
    writeFileSync(join(repo, "refs", "main"), "a".repeat(40));
    const { clip } = await findNetworks({});
    expect(clip).toEqual({ path: snapshot, hash: await hashFolder(golden("tiny-clip")) });
    put("own", "config.json");
    const given = await findNetworks({ clip: join(root, "own") });
    expect(given.clip).toEqual({ path: join(root, "own"), hash: await hashFolder(join(root, "own")) });
    await expect(findNetworks({ clip: join(root, "nowhere") })).rejects.toThrow(UserError);
  });
});

describe("hashOfPlace", () => {
  it("is that of a file's bytes, or of a folder's files", async () => {
    const file = put("some", "model.pth");
    expect(await hashOfPlace(file)).toBe(sha256("bytes of model.pth"));
    expect(await hashOfPlace(join(root, "some"))).toBe(await hashFolder(join(root, "some")));
    await expect(hashOfPlace(join(root, "nothing"))).rejects.toThrow(/nothing cannot be read/);
  });
});
