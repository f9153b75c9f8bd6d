// The engine made ready for work: threads, denormal floats, and a device that is there.
import { UserError } from "../torch/errors.ts";

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
  if (threads !== undefined) torch.setNumThreads(threads);
  torch.setFlushDenormal(true);
  checkDevice(device, torch.cudaDeviceCount());
  return torch;
}

function checkDevice(device: string, count: number): void {
  if (device === "cpu") return;
  const kind = /^cuda(?::(\d+))?$/.exec(device);
  if (!kind) throw new UserError(`device is ${device}; expected cpu, cuda or cuda:N.`);
  if (Number(kind[1] ?? 0) < count) return;
  const found =
    count === 0 ? "libtorch sees no CUDA device" : `libtorch sees ${count} CUDA device(s), cuda:0 first`;
  throw new UserError(
    `device is ${device}, but ${found}. Set device to cpu, or run \`invdiff doctor\` to see why.`,
  );
}
