// PyTorch's pickled files (.pt, .pth, .ckpt, .bin, .pkl), read without running anything.
export {
  describeTorchFile,
  type OtherEntry,
  type TorchFileDescription,
  type TorchFileEntry,
} from "./describe.ts";
export type { TorchFileKind } from "./open-file.ts";
export { readTorchFile, readTorchStateDict } from "./read-torch-file.ts";
export type { TorchValue } from "./to-value.ts";
