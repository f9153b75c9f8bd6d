// ResNets from the files that torchvision and the reference write; which network it is, the keys tell.
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { readWeights } from "../checkpoint/index.ts";
import { buildFromTensors, Linear, ParamStore } from "../nn/index.ts";
import { CheckpointError, InvDiffError } from "../torch/index.ts";
import type { Device, Tensor } from "../torch/index.ts";
import { Resnet, RESNETS } from "./resnet.ts";
import type { ResnetName } from "./resnet.ts";

export interface LoadResnetOptions {
  /** When the file's last layer has another number of classes, as ImageNet's 1,000, a new one takes its place. */
  readonly numClasses?: number | undefined;
  /** Seed of a new last layer. */
  readonly seed?: number;
  readonly device?: Device;
  /** The network that it has to be; without it either. */
  readonly architecture?: ResnetName | undefined;
}

/**
 * A ResNet-18 or ResNet-50 in float32 from a file (.pth, .pt, .safetensors), or from a folder with model.safetensors or
 * model.pth. On failure nothing stays allocated. @throws CheckpointError saying what the file holds instead
 */
export function loadResnet(place: string, options: LoadResnetOptions = {}): Resnet {
  const { numClasses, seed = 0, device = "cpu", architecture: wanted } = options;
  const path = resnetFile(place);
  const tensors = withoutWrapper(readWeights(path));
  try {
    const architecture = architectureOf(tensors);
    if (wanted !== undefined && wanted !== architecture)
      throw new CheckpointError(`it holds a ${architecture}; expected a ${wanted}.`);
    const inFile = tensors.get("fc.weight")?.shape[0];
    if (numClasses !== undefined && numClasses !== inFile)
      replaceHead(tensors, architecture, numClasses, seed);
    const config = { architecture, numClasses: numClasses ?? inFile ?? 1000 };
    // Copies: tensors that are parts of one mapped file cannot be trained beside statistics that change in place.
    const store = { dtype: "float32", device, copy: true } as const;
    return buildFromTensors(tensors, (vs) => new Resnet(vs, config), store);
  } catch (error) {
    if (!(error instanceof InvDiffError)) throw error;
    throw new CheckpointError(`${path}: ${error.message}`, { cause: error });
  } finally {
    for (const tensor of tensors.values()) tensor.dispose();
  }
}

const FILES = ["model.safetensors", "model.pth"];

/** The file of weights that a place means: itself, or one of the two names in a folder. */
export function resnetFile(place: string): string {
  if (!existsSync(place))
    throw new CheckpointError(`${place} does not exist; expected a ResNet's file or folder.`);
  if (!statSync(place).isDirectory()) return place;
  const found = FILES.map((name) => join(place, name)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  const files = readdirSync(place).sort().slice(0, 8).join(", ");
  throw new CheckpointError(
    `${place} has no ${FILES.join(" or ")}; it holds ${files === "" ? "nothing" : files}. Give the file itself when it has another name.`,
  );
}

/** Training on several GPUs saves the network inside a wrapper whose name stands before every key. */
function withoutWrapper(tensors: Map<string, Tensor>): Map<string, Tensor> {
  const prefix = "module.";
  if (![...tensors.keys()].every((key) => key.startsWith(prefix))) return tensors;
  return new Map(Array.from(tensors, ([key, value]) => [key.slice(prefix.length), value]));
}

/** @throws CheckpointError when the keys are not one of the two networks' */
function architectureOf(tensors: ReadonlyMap<string, Tensor>): ResnetName {
  const expected = `expected ${Object.keys(RESNETS).join(" or ")} with torchvision's keys (conv1.weight, layer1.0.conv1.weight, ..., fc.weight)`;
  const keys = [...tensors.keys()];
  if (!tensors.has("layer1.0.conv1.weight")) {
    const some = keys.sort().slice(0, 4).join(", ");
    throw new CheckpointError(`it holds no ResNet (its keys begin with ${some}); ${expected}.`);
  }
  const blocks = [1, 2, 3, 4].map(
    (layer) => keys.filter((key) => new RegExp(`^layer${layer}\\.\\d+\\.conv1\\.weight$`).test(key)).length,
  );
  const bottleneck = tensors.has("layer1.0.conv3.weight");
  for (const [name, known] of Object.entries(RESNETS) as [ResnetName, (typeof RESNETS)[ResnetName]][])
    if (known.bottleneck === bottleneck && known.blocks.join() === blocks.join()) return name;
  const kind = bottleneck ? "bottleneck" : "basic";
  throw new CheckpointError(`it holds a ResNet of ${blocks.join(", ")} ${kind} blocks; ${expected}.`);
}

function replaceHead(
  tensors: Map<string, Tensor>,
  architecture: ResnetName,
  classes: number,
  seed: number,
): void {
  const width = RESNETS[architecture].bottleneck ? 2048 : 512;
  const head = new Linear(ParamStore.seeded({ seed }), width, classes);
  for (const [key, value] of head.stateDict()) {
    tensors.get(`fc.${key}`)?.dispose();
    tensors.set(`fc.${key}`, value);
  }
}
