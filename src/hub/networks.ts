// The published networks that metrics and classifiers start from: where they are, and how they are checked.
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { ConfigError } from "../torch/errors.ts";
import { copyOut } from "./copy-out.ts";
import { downloadFile, type DownloadFileRequest } from "./download-file.ts";
import { downloadRepo, type RepoDownload } from "./download-repo.ts";
import { repoFolder } from "./cache.ts";
import { type Environment, hubSettings, networksFolder } from "./environment.ts";
import { findCached } from "./resolve-dataset.ts";

interface NetworkFile {
  readonly file: string;
  readonly url: string;
  /** SHA-256 in hexadecimal; where the publisher puts only its first digits into the name, those. */
  readonly sha256: string;
  /** About how many bytes. */
  readonly bytes: number;
  readonly what: string;
}

interface NetworkRepo {
  readonly repo: string;
  readonly what: string;
}

const torchvision = (name: string, sha256: string, bytes: number, what: string): NetworkFile => ({
  ...{ file: `${name}-${sha256}.pth`, url: `https://download.pytorch.org/models/${name}-${sha256}.pth` },
  ...{ sha256, bytes, what },
});

export const KNOWN_NETWORKS = {
  inception: {
    file: "pt_inception-2015-12-05-6726825d.pth",
    url: "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
    sha256: "6726825d",
    bytes: 95_628_359,
    what: "Inception-v3 of the original FID (pytorch-fid)",
  },
  vgg16: torchvision(
    "vgg16",
    "397923af",
    553_433_881,
    "VGG-16 on ImageNet (torchvision), for LPIPS and precision and recall",
  ),
  lpips: {
    file: "vgg.pth",
    url: "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/vgg.pth",
    sha256: "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
    bytes: 7289,
    what: "linear weights of LPIPS 0.1 on VGG-16; needs vgg16 too",
  },
  resnet18: torchvision(
    "resnet18",
    "f37072fd",
    46_830_571,
    "ResNet-18 on ImageNet (torchvision), to start a classifier from",
  ),
  resnet50: torchvision(
    "resnet50",
    "11ad3fa6",
    102_540_417,
    "ResNet-50 on ImageNet (torchvision), to start a classifier from",
  ),
  clip: { repo: "openai/clip-vit-base-patch16", what: "CLIP ViT-B/16 (OpenAI), for CLIP-T" },
} as const satisfies Readonly<Record<string, NetworkFile | NetworkRepo>>;

export type NetworkName = keyof typeof KNOWN_NETWORKS;

/** Throws ConfigError, with the names there are. */
export function networkName(text: string): NetworkName {
  if (Object.hasOwn(KNOWN_NETWORKS, text)) return text as NetworkName;
  throw new ConfigError(
    `There is no network ${JSON.stringify(text)}; expected ${Object.keys(KNOWN_NETWORKS).join(", ")}.`,
  );
}

export interface NetworkOptions extends Omit<RepoDownload, "repo" | "type" | "env"> {
  /** Address in place of the known one. */
  readonly url?: string | undefined;
  /** Folder in place of `networksFolder()`. */
  readonly to?: string | undefined;
  readonly force?: boolean | undefined;
  readonly env?: Environment | undefined;
}

/** Where a network is taken from: `url`, else INVDIFF_MIRROR/file, else the known address. */
export function networkUrl(name: NetworkName, { url, env = process.env }: NetworkOptions = {}): string {
  const network = KNOWN_NETWORKS[name];
  if (url !== undefined) return url;
  if ("repo" in network) return network.repo;
  const mirror = env["INVDIFF_MIRROR"]?.replace(/\/+$/, "");
  return mirror ? `${mirror}/${network.file}` : network.url;
}

/** Where a network is put: a file; of clip a folder, or its repository in the cache. */
export function networkPlace(name: NetworkName, options: NetworkOptions = {}): string {
  const network = KNOWN_NETWORKS[name];
  if ("repo" in network && options.to !== undefined) return join(options.to, basename(network.repo));
  if ("repo" in network) return repoFolder(hubSettings(options).cacheDir, "model", network.repo);
  return join(options.to ?? networksFolder(options.env), network.file);
}

/** The file, or the folder of clip, when it has been downloaded. */
export function networkPath(name: NetworkName, options: NetworkOptions = {}): string | undefined {
  const network = KNOWN_NETWORKS[name];
  if ("repo" in network) return findCached({ ...options, repo: network.repo, type: "model" })?.path;
  const path = networkPlace(name, options);
  return existsSync(path) ? path : undefined;
}

/** Downloads a network and returns its file, or the folder of clip. Throws ConfigError, and as `downloadFile` and `downloadRepo`. */
export async function downloadNetwork(
  name: NetworkName,
  options: NetworkOptions = {},
): Promise<{ readonly path: string; readonly kept: boolean }> {
  const network = KNOWN_NETWORKS[name];
  const { force, onProgress } = options;
  if ("repo" in network) {
    if (options.url !== undefined)
      throw new ConfigError(
        `${name} is a repository (${network.repo}); another server is given by HF_ENDPOINT, not by --url.`,
      );
    const kept = networkPath(name, options) !== undefined;
    const found = await downloadRepo({ ...options, repo: network.repo, type: "model" });
    if (options.to === undefined) return { path: found.path, kept };
    const path = networkPlace(name, options);
    await copyOut(found, path, options);
    return { path, kept };
  }
  const { signal, onNote, retry, stallMs } = options;
  const request: DownloadFileRequest = {
    ...{ signal, onNote, retry, stallMs, force },
    url: networkUrl(name, options),
    to: networkPlace(name, options),
    sha256Prefix: network.sha256,
    onProgress: ({ done, total = network.bytes }) => {
      onProgress?.({ done, total, files: 1, filesDone: done === total ? 1 : 0 });
    },
  };
  return await downloadFile(request);
}
