// Captured graphs give what the same calls give one by one, also for inputs that came after the capture.
import { loadUnet } from "../../../src/models/index.ts";
import { graphedDenoiser } from "../../../src/pipelines/index.ts";
import {
  DeviceGraph,
  Generator,
  noGrad,
  randn,
  scope,
  supportsGraphs,
  tensor,
  type Tensor,
  TorchError,
} from "../../../src/torch/index.ts";
import { golden } from "../../../test/golden-dir.ts";
import { type Checks, relativeError } from "../parity/checks.ts";
import { holds } from "./truth.ts";

/** The same kernels on the same numbers; a library may choose another algorithm for a capture, at the cost of rounding. */
const SAME = 1e-6;

/** Replays of a U-Net; and that a capture which would have to wait is refused and leaves the device usable. */
export function checkGraphs(checks: Checks): void {
  const { device, within } = checks;
  holds(checks, "graphs", "the device has them", supportsGraphs(device));
  using unet = loadUnet(golden("tiny-sd1/unet"), { device });
  noGrad(() =>
    scope(() => {
      using graphed = graphedDenoiser(unet, device);
      for (const seed of [1, 2, 3, 4]) {
        const inputs = inputsOf(unet.config.cross_attention_dim, { seed, device });
        const replayed = graphed.forward(...inputs);
        within("graphs: U-Net", `call ${seed}`, relativeError(replayed, unet.forward(...inputs)), SAME);
      }
      holds(checks, "graphs", "the U-Net is captured once", graphed.graphs === 1);
    }),
  );
  scope(() => refusesToWait(checks));
}

function inputsOf(
  width: number | readonly number[],
  { seed, device }: { seed: number; device: string },
): [Tensor, Tensor, Tensor] {
  const draw = (shape: number[]) => randn(shape, { generator: new Generator().manualSeed(seed) }).to(device);
  const channels = typeof width === "number" ? width : width[0]!;
  return [draw([2, 4, 8, 8]), tensor([7, 801], { dtype: "int64" }).to(device), draw([2, 77, channels])];
}

function refusesToWait(checks: Checks): void {
  const { device } = checks;
  const xs = tensor([1, 2, 3]).to(device);
  using graph = new DeviceGraph(device);
  graph.warmup(() => scope(() => xs.sum()));
  let message = "";
  try {
    graph.capture(() => xs.sum().item());
  } catch (error) {
    if (!(error instanceof TorchError)) throw error;
    ({ message } = error);
  }
  holds(checks, "graphs", "a capture that would have to wait is refused", /captur/i.test(message));
  holds(checks, "graphs", "the device works afterwards", xs.add(1).toNumbers().join() === "2,3,4");
}
