// Where things are kept and asked for, by the rules of Python's huggingface_hub.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Environment, hubSettings, networksFolder } from "./environment.ts";

const cache = (env: Environment) => hubSettings({ env, token: "" }).cacheDir;

describe("the cache folder", () => {
  it.each<[Environment, string]>([
    [{}, join(homedir(), ".cache/huggingface/hub")],
    [{ XDG_CACHE_HOME: "/x" }, "/x/huggingface/hub"],
    [{ XDG_CACHE_HOME: "/x", HF_HOME: "/h" }, "/h/hub"],
    [{ HF_HOME: "/h", HUGGINGFACE_HUB_CACHE: "/old" }, "/old"],
    [{ HF_HOME: "/h", HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "/new" }, "/new"],
    [{ HOME: "/me", HF_HOME: "~/h" }, "/me/h/hub"],
    [{ HOME: "/me", DISK: "/d", HF_HOME: "$DISK/${DISK}/$NONE" }, "/d//d/$NONE/hub".replace("//", "/")],
  ])("of %j is %s", (env, expected) => {
    expect(cache(env)).toBe(expected);
  });
});

describe("the server and the token", () => {
  it("come from HF_ENDPOINT and HF_TOKEN; the token belongs to that server", () => {
    const env = { HF_ENDPOINT: "https://mirror.example:8443/", HF_TOKEN: " abc\n" };
    expect(hubSettings({ env })).toMatchObject({
      ...{ endpoint: "https://mirror.example:8443", offline: false },
      credential: { token: "abc", origin: "https://mirror.example:8443" },
    });
    expect(hubSettings({ env: {}, token: "" })).toMatchObject({
      endpoint: "https://huggingface.co",
      credential: undefined,
    });
  });

  it("may be in the file where hf auth login keeps it", () => {
    const folder = mkdtempSync(join(tmpdir(), "invdiff-token-"));
    try {
      writeFileSync(join(folder, "token"), "from-file\n");
      writeFileSync(join(folder, "other"), "from-other\n");
      const token = (env: Environment) => hubSettings({ env }).credential?.token;
      expect(token({ HF_HOME: folder })).toBe("from-file");
      expect(token({ HF_HOME: folder, HF_TOKEN_PATH: join(folder, "other") })).toBe("from-other");
      expect(token({ HF_HOME: folder, HF_TOKEN: "from-env" })).toBe("from-env");
      expect(token({ HF_HOME: join(folder, "none") })).toBeUndefined();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("that cannot be used are refused; the token is not repeated", () => {
    expect(() => hubSettings({ env: { HF_ENDPOINT: "hub" } })).toThrow(/HF_ENDPOINT is "hub"/);
    expect(() => hubSettings({ env: { HF_TOKEN: "sec ret" } })).toThrow(/^(?!.*sec ret).*spaces/);
  });

  it.each(["1", "true", "YES", "on"])("HF_HUB_OFFLINE=%s is offline", (value) => {
    expect(hubSettings({ env: { HF_HUB_OFFLINE: value }, token: "" }).offline).toBe(true);
    expect(hubSettings({ env: { HF_HUB_OFFLINE: "0" }, token: "" }).offline).toBe(false);
  });
});

it("networks are in INVDIFF_NETWORKS, or beside the other caches", () => {
  expect(networksFolder({ INVDIFF_NETWORKS: "/n" })).toBe("/n");
  expect(networksFolder({ XDG_CACHE_HOME: "/x" })).toBe("/x/invdiff/networks");
  expect(networksFolder({ HOME: "/me" })).toBe("/me/.cache/invdiff/networks");
});
