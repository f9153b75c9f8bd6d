/** What a file's keys and shapes say that it holds, for the message to someone who gave the wrong one. */

type Weights = ReadonlyMap<string, { readonly shape: readonly number[] }>;
type Test = (weights: Weights) => boolean;

const has =
  (...keys: readonly string[]): Test =>
  (weights) =>
    keys.every((key) => weights.has(key));

const shaped =
  (key: string, shape: readonly number[]): Test =>
  (weights) =>
    weights.get(key)?.shape.join() === shape.join();

/** The first that applies; special cases before general ones. */
const NETWORKS: readonly (readonly [name: string, applies: Test])[] = [
  ["torchvision's Inception-v3, which is not FID's", has("AuxLogits.fc.weight")],
  ["torchvision's Inception-v3, which is not FID's", shaped("fc.weight", [1000, 2048])],
  ["FID's Inception-v3", has("Mixed_7c.branch_pool.conv.weight")],
  ["a ResNet", has("layer1.0.conv1.weight", "layer4.0.conv1.weight")],
  ["a VGG network with batch norm", has("features.0.weight", "features.1.running_mean")],
  ["VGG-19", has("features.34.weight", "features.0.weight")],
  ["VGG-16", has("features.28.weight", "features.26.weight", "features.24.weight")],
  ["AlexNet", shaped("features.0.weight", [64, 3, 11, 11])],
  ["LPIPS with its VGG-16", has("net.slice5.28.weight", "lin0.model.1.weight")],
  ["LPIPS' linear layers for SqueezeNet", has("lin6.model.1.weight")],
  ["LPIPS' linear layers for VGG-16", shaped("lin1.model.1.weight", [1, 128, 1, 1])],
  ["LPIPS' linear layers for AlexNet", has("lin0.model.1.weight", "lin4.model.1.weight")],
  ["CLIP", has("visual_projection.weight")],
  ["a U-Net of a diffusion model", has("conv_in.weight", "time_embedding.linear_1.weight")],
];

/** The name of the network that these weights belong to, or undefined. */
export const recogniseNetwork = (weights: Weights): string | undefined =>
  NETWORKS.find(([, applies]) => applies(weights))?.[0];
