// What the doctor says of graphics cards: each one's name and memory, the driver, and whether kernels and graphs work.
import { readFileSync } from "node:fs";
import { bytesText } from "./disk-full.ts";
import { type DoctorFact, ok, warning } from "./doctor-fact.ts";

type Torch = typeof import("../torch/index.ts");

/** Facts about `devices`; none without devices. Never throws: what fails is a warning with the reason. */
export function cardFacts(torch: Torch, devices: readonly string[]): DoctorFact[] {
  if (devices.length === 0) return [];
  const driver = driverVersion();
  return [
    ...(driver === undefined ? [] : [ok("NVIDIA driver", driver)]),
    ...devices.map((device) => deviceFact(torch, device)),
    kernelFact(torch, devices[0]!),
    graphFact(torch, devices[0]!),
  ];
}

/** "580.65.06" of the loaded kernel module; undefined where there is none. */
export function driverVersion(path = "/proc/driver/nvidia/version"): string | undefined {
  try {
    return /Module(?: for \S+)?\s+(\d+(?:\.\d+)+)/.exec(readFileSync(path, "utf8"))?.[1];
  } catch {
    return undefined;
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function deviceFact(torch: Torch, device: string): DoctorFact {
  try {
    const { name, capability, multiprocessors } = torch.deviceProperties(device);
    const { freeBytes, totalBytes } = torch.memoryInfo(device);
    const parts = [
      name,
      ...(capability === undefined ? [] : [`compute capability ${capability.join(".")}`]),
      `${multiprocessors} multiprocessors`,
      `${bytesText(freeBytes)} free of ${bytesText(totalBytes)}`,
    ];
    if (freeBytes > totalBytes / 10) return ok(device, parts.join(", "));
    return warning(
      device,
      parts.join(", "),
      "Other programs hold its memory (nvidia-smi names them): end them or take another card with CUDA_VISIBLE_DEVICES.",
    );
  } catch (error) {
    return warning(
      device,
      `does not answer: ${reasonOf(error)}`,
      "Check nvidia-smi; until then use device: cpu.",
    );
  }
}

function kernelProblem(torch: Torch, device: string): string | undefined {
  try {
    return torch.kernelProblem(device);
  } catch (error) {
    return reasonOf(error);
  }
}

function kernelFact(torch: Torch, device: string): DoctorFact {
  const name = "own CUDA kernels";
  const reason = kernelProblem(torch, device);
  if (reason === undefined) return ok(name, "built, and run");
  return warning(
    name,
    `not in use: ${reason}`,
    "libtorch's slower ones are used. Where NVRTC's header is missing, install Python's package of NVRTC beside torch " +
      "(or the CUDA toolkit) and run: npm run setup.",
  );
}

/** Captures a small graph and replays it on new numbers. */
function graphFact(torch: Torch, device: string): DoctorFact {
  const name = "graphs";
  try {
    return torch.scope(() => {
      using graph = new torch.DeviceGraph(device);
      const input = torch.ones([4], { device });
      graph.warmup(() => input.add(1));
      const output = graph.capture(() => input.add(1));
      input.fill_(2);
      graph.replay();
      if (output.toNumbers().every((value) => value === 3))
        return ok(name, `captured and replayed on ${device}`);
      return warning(name, `a replay on ${device} gives wrong numbers`, "Set accelerator.graphs to off.");
    });
  } catch (error) {
    return warning(name, `not possible: ${reasonOf(error)}`, "Set accelerator.graphs to off.");
  }
}
