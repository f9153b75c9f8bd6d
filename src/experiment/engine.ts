// The engine made ready for work: threads, denormal floats, and a device that is there.
import { UserError } from "../torch/errors.ts";

/** An out-of-tree libtorch backend (path of its library) whose device is called privateuseone; for tests. */
const backendPath = (): string | undefined => process.env["INVDIFF_BACKEND"];

const isBackendDevice = (name: string): boolean =>
  backendPath() !== undefined && /^privateuseone(:0)?$/.test(name);

/** Whether the text names a device that may be asked for, there or not. */
export const isDeviceName = (name: string): boolean =>
  /^(cpu|cuda(:\d+)?)$/.test(name) || isBackendDevice(name);

/**
 * Loads the engine, sets its threads (undefined: its own choice) and turns denormal floats off, for the whole process and
 * before the first operator. Errors: UserError when the device is absent or the engine cannot be loaded.
 */
export async function prepareEngine({
  device,
  threads,
}: {
  device: string;
  threads: number | undefined;
}): Promise<typeof import("../torch/index.ts")> {
  const torch = await import("../torch/index.ts");
  // Before all else: libtorch counts its devices at the first use.
  const backend = backendPath();
  if (backend !== undefined) torch.loadLibrary(backend);
  if (threads !== undefined) torch.setNumThreads(threads);
  torch.setFlushDenormal(true);
  checkDevice(device, torch.cudaDeviceCount());
  return torch;
}

function checkDevice(device: string, count: number): void {
  if (!isDeviceName(device)) throw new UserError(`device is ${device}; expected cpu, cuda or cuda:N.`);
  const [kind, index = "0"] = device.split(":");
  if (kind !== "cuda" || Number(index) < count) return;
  const found =
    count === 0 ? "libtorch sees no CUDA device" : `libtorch sees ${count} CUDA device(s), cuda:0 first`;
  throw new UserError(
    `device is ${device}, but ${found}. Set device to cpu, or run \`invdiff doctor\` to see why.`,
  );
}
