// The networks that are measured, with random weights drawn on the device itself: a billion numbers in milliseconds.
import {
  AutoencoderKL,
  UNet2DConditionModel,
  type UNetConfig,
  type VaeConfig,
} from "../../src/models/index.ts";
import { buildFromTensors, type Module, ParamStore } from "../../src/nn/index.ts";
import {
  type Device,
  type DType,
  empty,
  full,
  Generator,
  keep,
  scope,
  type Tensor,
} from "../../src/torch/index.ts";
import { isCard } from "./clock.ts";

export interface Place {
  readonly device: Device;
  readonly dtype?: DType;
}

function randomWeights(shapes: Module, { device, dtype = "float32" }: Place): Map<string, Tensor> {
  const generator = new Generator(device).manualSeed(0);
  const fill = (shape: number[]): Tensor => {
    // Gains and biases.
    if (shape.length === 1) return full(shape, 1, { device, dtype });
    const bound = 1 / Math.sqrt(shape.slice(1).reduce((a, b) => a * b, 1));
    return empty(shape, { device }).uniform_(-bound, bound, { generator }).to(dtype);
  };
  return new Map(
    Array.from(shapes.stateDict(), ([key, { shape }]) => [key, keep(scope(() => fill([...shape])))]),
  );
}

function onDevice<M extends Module>(build: (vs: ParamStore) => M, place: Place): M {
  const weights = randomWeights(build(ParamStore.shapesOnly()), place);
  const network = buildFromTensors(weights, build);
  return isCard(place.device) ? network.toMemoryFormat_("channels_last") : network;
}

export const newUnet = (config: Partial<UNetConfig>, place: Place): UNet2DConditionModel =>
  onDevice((vs) => new UNet2DConditionModel(vs, config), place);

export const newVae = (config: Partial<VaeConfig>, place: Place): AutoencoderKL =>
  onDevice((vs) => new AutoencoderKL(vs, config), place);
