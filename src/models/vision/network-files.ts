/** The published files of the networks that evaluation uses: what they are called and where they lie in a folder. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

export const NETWORK_KINDS = ["inception", "vgg16", "lpips", "resnet18", "resnet50", "clip"] as const;
export type NetworkKind = (typeof NETWORK_KINDS)[number];

interface NetworkFiles {
  /** For people. */
  readonly title: string;
  /** Names in the order of preference; those of `clip` are folders. */
  readonly names: readonly string[];
  /** Further names: torchvision's end in the beginning of the file's SHA-256, which changes with every release. */
  readonly pattern?: RegExp;
}

export const NETWORK_FILES: Readonly<Record<NetworkKind, NetworkFiles>> = {
  inception: {
    title: "FID's Inception-v3",
    names: ["pt_inception-2015-12-05-6726825d.pth", "weights-inception-2015-12-05-6726825d.pth"],
  },
  vgg16: {
    title: "torchvision's VGG-16",
    names: ["vgg16-397923af.pth"],
    pattern: /^vgg16-[0-9a-f]{8}\.pth$/,
  },
  lpips: {
    title: "LPIPS' linear layers for VGG-16",
    names: ["vgg.pth", "lpips/vgg.pth", "lpips/weights/v0.1/vgg.pth"],
  },
  resnet18: {
    title: "torchvision's ResNet-18",
    names: ["resnet18-f37072fd.pth"],
    pattern: /^resnet18-[0-9a-f]{8}\.pth$/,
  },
  resnet50: {
    title: "torchvision's ResNet-50",
    names: ["resnet50-11ad3fa6.pth", "resnet50-0676ba61.pth"],
    pattern: /^resnet50-[0-9a-f]{8}\.pth$/,
  },
  clip: {
    title: "CLIP",
    names: ["clip-vit-base-patch16", "clip-vit-base-patch32", "clip-vit-large-patch14", "clip"],
  },
};

/** The command that fetches a network. */
export const downloadCommand = (kind: NetworkKind): string => `invdiff download network ${kind}`;

/** Path of a published network in a folder (of CLIP: of its own folder), or undefined when there is none. */
export function findNetworkFile(folder: string, kind: NetworkKind): string | undefined {
  const { names, pattern } = NETWORK_FILES[kind];
  const isThere = (path: string) =>
    kind === "clip"
      ? existsSync(join(path, "config.json"))
      : statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  const matching = pattern && existsSync(folder) ? readdirSync(folder).sort() : [];
  return [...names, ...matching.filter((name) => pattern!.test(name))]
    .map((name) => join(folder, name))
    .find(isThere);
}
