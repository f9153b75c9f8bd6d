/** Networks of the evaluation from their published files; a file that holds something else is named for what it is. */
import { readWeights } from "../../checkpoint/index.ts";
import { buildFromTensors } from "../../nn/index.ts";
import type { Module, ParamStore } from "../../nn/index.ts";
import { CheckpointError, ConfigError, InvDiffError, scope } from "../../torch/index.ts";
import type { Device, Tensor } from "../../torch/index.ts";
import { FidInception } from "./fid-inception.ts";
import { LpipsVgg } from "./lpips-vgg.ts";
import { downloadCommand, NETWORK_FILES, type NetworkKind } from "./network-files.ts";
import { recogniseNetwork } from "./recognise-network.ts";
import { VGG16_KEYS } from "./vgg-stages.ts";
import { Vgg16 } from "./vgg16.ts";

const LPIPS_WHOLE = "LPIPS with its VGG-16";

export interface LoadNetworkOptions {
  readonly device?: Device;
}

/** FID's Inception-v3 from pytorch-fid's or torch-fidelity's file. @throws CheckpointError */
export const loadFidInception = (file: string, options: LoadNetworkOptions = {}): FidInception =>
  assemble(file, openNetwork(file, "inception", ["FID's Inception-v3"]), {
    ...options,
    kind: "inception",
    make: (vs) => new FidInception(vs),
  });

/** VGG-16 up to fc2 from torchvision's file. @throws CheckpointError */
export const loadVgg16 = (file: string, options: LoadNetworkOptions = {}): Vgg16 =>
  assemble(file, openNetwork(file, "vgg16", ["VGG-16"]), {
    ...options,
    kind: "vgg16",
    make: (vs) => new Vgg16(vs),
  });

export interface LpipsFiles {
  /** torchvision's VGG-16; not needed where `linFile` holds the convolutions too. */
  readonly vggFile?: string | undefined;
  /** The linear layers of lpips or torchmetrics, or all that these hold. */
  readonly linFile: string;
}

/** LPIPS from its linear layers and torchvision's VGG-16. @throws CheckpointError, ConfigError */
export function loadLpips({ vggFile, linFile }: LpipsFiles, options: LoadNetworkOptions = {}): LpipsVgg {
  const tensors = openNetwork(linFile, "lpips", [LPIPS_WHOLE, "LPIPS' linear layers for VGG-16"]);
  try {
    if (recogniseNetwork(tensors) !== LPIPS_WHOLE) {
      if (vggFile === undefined)
        throw new ConfigError(`${linFile} holds LPIPS' linear layers alone; give torchvision's VGG-16 too.`);
      for (const [key, value] of openNetwork(vggFile, "vgg16", ["VGG-16"])) {
        if (key.startsWith("features.")) tensors.set(sliceKey(key), value);
        else value.dispose();
      }
    }
    for (const [key, value] of tensors) if (key.startsWith("lin")) refuseNegative(linFile, key, value);
  } catch (error) {
    disposeAll(tensors);
    throw error;
  }
  const files = vggFile === undefined ? linFile : `${linFile} with ${vggFile}`;
  return assemble(files, tensors, { ...options, kind: "lpips", make: (vs) => new LpipsVgg(vs) });
}

/** "features.12.bias" -> "net.slice3.12.bias". */
function sliceKey(key: string): string {
  const [, layer, name] = key.split(".");
  const stage = VGG16_KEYS.findIndex((keys) => keys.includes(Number(layer)));
  return `net.slice${stage + 1}.${layer}.${name}`;
}

/** A negative weight would make differing pictures equal; training clamps them. */
function refuseNegative(file: string, key: string, value: Tensor): void {
  if (scope(() => value.min().item()) >= 0) return;
  throw new CheckpointError(`${file}: ${key} has negative values, so these are not LPIPS' trained layers.`);
}

/** The tensors of a file that is recognised as one of the `accepted` networks; the caller owns them. */
function openNetwork(file: string, kind: NetworkKind, accepted: readonly string[]): Map<string, Tensor> {
  const expected = expectedText(kind);
  let tensors: Map<string, Tensor>;
  try {
    tensors = readWeights(file);
  } catch (cause) {
    if (!(cause instanceof InvDiffError)) throw cause;
    const graph = file.endsWith(".pb") ? "It is a graph of TensorFlow. " : "";
    throw new CheckpointError(`${cause.message} ${graph}${expected}`, { cause });
  }
  const found = recogniseNetwork(tensors);
  if (found !== undefined && accepted.includes(found)) return tensors;
  const holds = found ?? `tensors of another model (${[...tensors.keys()].slice(0, 3).join(", ")} ...)`;
  disposeAll(tensors);
  throw new CheckpointError(`${file} holds ${holds}. ${expected}`);
}

function expectedText(kind: NetworkKind): string {
  const { title, names } = NETWORK_FILES[kind];
  return `Expected ${title}, such as ${names[0]} (${downloadCommand(kind)}).`;
}

interface Assembly<M extends Module> extends LoadNetworkOptions {
  readonly kind: NetworkKind;
  readonly make: (vs: ParamStore) => M;
}

/** The network, which owns its tensors in float32; the others are released, all of them when they do not fit. */
function assemble<M extends Module>(
  files: string,
  tensors: ReadonlyMap<string, Tensor>,
  { kind, make, device = "cpu" }: Assembly<M>,
): M {
  try {
    const network = buildFromTensors(tensors, make, { dtype: "float32", device });
    const used = new Set(network.stateDict().values());
    for (const value of tensors.values()) if (!used.has(value)) value.dispose();
    return network.eval();
  } catch (error) {
    disposeAll(tensors);
    if (!(error instanceof InvDiffError)) throw error;
    throw new CheckpointError(`${files}: ${error.message} ${expectedText(kind)}`, { cause: error });
  }
}

function disposeAll(tensors: ReadonlyMap<string, Tensor>): void {
  for (const value of tensors.values()) value.dispose();
}
