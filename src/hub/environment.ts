/**
 * Settings from the environment, by the rules of Python's huggingface_hub: HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HOME, HF_HUB_CACHE,
 * XDG_CACHE_HOME, HF_HUB_OFFLINE; and this project's INVDIFF_NETWORKS and INVDIFF_MIRROR.
 */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "../torch/errors.ts";
import type { Credential } from "./http.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface HubOptions {
  /** Server. Default: HF_ENDPOINT, or the public hub. */
  readonly endpoint?: string | undefined;
  /** Default: HF_TOKEN, or the file where `hf auth login` keeps it; "" for none. */
  readonly token?: string | undefined;
  /** Folder of the cache. Default: HF_HUB_CACHE, HF_HOME/hub, or ~/.cache/huggingface/hub. */
  readonly cacheDir?: string | undefined;
  readonly env?: Environment | undefined;
}

export interface HubSettings {
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly credential: Credential | undefined;
  readonly cacheDir: string;
  /** HF_HUB_OFFLINE: nothing but the cache is used. */
  readonly offline: boolean;
}

/** Throws ConfigError for an endpoint that is no http(s) address, or a token that no header can carry. */
export function hubSettings({ env = process.env, ...options }: HubOptions = {}): HubSettings {
  const endpoint = (options.endpoint ?? (env["HF_ENDPOINT"] || "https://huggingface.co")).replace(/\/+$/, "");
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new ConfigError(
      `HF_ENDPOINT is ${JSON.stringify(endpoint)}; expected an address such as https://huggingface.co.`,
    );
  const token = options.token ?? tokenFrom(env);
  if (/[^\x21-\x7e]/.test(token))
    throw new ConfigError(
      "The token (HF_TOKEN or the token file) has spaces or strange characters; copy it again.",
    );
  return {
    endpoint,
    credential: token === "" ? undefined : { token, origin: url.origin },
    cacheDir: options.cacheDir ?? hubCache(env),
    offline: isTrue(env["HF_HUB_OFFLINE"] || env["TRANSFORMERS_OFFLINE"]),
  };
}

const isTrue = (value: string | undefined): boolean => /^(1|on|yes|true)$/i.test(value ?? "");

/** "~" and $VARIABLES in a path, as Python expands them. */
function expanded(path: string, env: Environment): string {
  const home = path.replace(/^~(?=\/|\\|$)/, () => env["HOME"] || homedir());
  return home.replace(
    /\$(?:\{(\w+)\}|(\w+))/g,
    (whole, braced?: string, bare?: string) => env[braced ?? bare ?? ""] ?? whole,
  );
}

const cacheHome = (env: Environment): string => expanded(env["XDG_CACHE_HOME"] || "~/.cache", env);

const hfHome = (env: Environment): string =>
  expanded(env["HF_HOME"] || join(cacheHome(env), "huggingface"), env);

const hubCache = (env: Environment): string =>
  expanded(env["HF_HUB_CACHE"] || env["HUGGINGFACE_HUB_CACHE"] || join(hfHome(env), "hub"), env);

function tokenFrom(env: Environment): string {
  const given = (env["HF_TOKEN"] || env["HUGGING_FACE_HUB_TOKEN"])?.trim();
  if (given) return given;
  try {
    return readFileSync(expanded(env["HF_TOKEN_PATH"] || join(hfHome(env), "token"), env), "utf8").trim();
  } catch {
    return ""; // Nobody has signed in.
  }
}

/** Folder of the feature networks: INVDIFF_NETWORKS, or invdiff/networks in XDG_CACHE_HOME or ~/.cache. */
export const networksFolder = (env: Environment = process.env): string =>
  env["INVDIFF_NETWORKS"]
    ? expanded(env["INVDIFF_NETWORKS"], env)
    : join(cacheHome(env), "invdiff", "networks");
