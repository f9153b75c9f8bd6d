// Streams run side by side and wait for each other's marks; the time between two marks is the device's.
import {
  DeviceEvent,
  Generator,
  randn,
  scope,
  Stream,
  synchronize,
  type Tensor,
  withStream,
} from "../../../src/torch/index.ts";
import type { Checks } from "../parity/checks.ts";
import { differing, holds } from "./truth.ts";

const SIZE = 512;
const PRODUCTS = 20;
/** Keeps the products about as large as their factors. */
const SCALE = 1 / Math.sqrt(SIZE);

const work = (matrix: Tensor): Tensor =>
  scope(() => {
    let product = matrix;
    for (let i = 0; i < PRODUCTS; i++) product = product.matmul(matrix).mul(SCALE);
    return product;
  });

export function checkStreams(checks: Checks): void {
  const { device, within } = checks;
  scope(() => {
    const matrix = randn([SIZE, SIZE], { generator: new Generator().manualSeed(4) }).to(device);
    const expected = work(matrix);
    synchronize(device);

    using begin = new DeviceEvent(device, { timing: true });
    using end = new DeviceEvent(device, { timing: true });
    const start = performance.now();
    begin.record();
    work(matrix);
    end.record();
    end.synchronize();
    const onHost = performance.now() - start;
    const onDevice = end.elapsedMs(begin);
    holds(checks, "events", "a mark is reached after waiting for it", end.query());
    holds(checks, "events", "time passes between two marks", onDevice > 0);
    holds(checks, "events", "the device's time lies within the host's", onDevice <= onHost + 1);

    const side = Stream.create(device, { priority: "high" });
    side.wait(new DeviceEvent(device).record());
    const aside = withStream(side, () => work(matrix));
    new DeviceEvent(device).record(side).wait();
    within("streams", "work on a side stream", differing(aside, expected), 0);
    side.synchronize();
    holds(checks, "streams", "a stream is idle after waiting for it", side.query());
  });
}
