// Pinned memory and copies that do not wait: what arrives is what was sent.
import {
  copyAsync_,
  DeviceEvent,
  empty,
  emptyPinned,
  Generator,
  isPinned,
  pinned,
  randn,
  scope,
  Stream,
  withStream,
} from "../../../src/torch/index.ts";
import type { Checks } from "../parity/checks.ts";
import { differing, holds } from "./truth.ts";

/** 16 MB, so that a copy takes longer than the calls around it. */
const SHAPE = [1024, 4096];

/** There on a copy stream, and back. */
export function checkPinned(checks: Checks): void {
  const { device, within } = checks;
  const row = "pinned memory";
  scope(() => {
    const source = randn(SHAPE, { generator: new Generator().manualSeed(3) });
    const sent = pinned(source, device);
    holds(checks, row, "a pinned copy is pinned", isPinned(sent) && !isPinned(source));
    within(row, "values of the copy", differing(sent, source), 0);

    const there = empty(SHAPE, { device });
    const stream = Stream.create(device);
    // The new tensor's memory may have been in use on the current stream.
    stream.wait(new DeviceEvent(device).record());
    withStream(stream, () => copyAsync_(there, sent));
    const arrived = new DeviceEvent(device).record(stream);
    arrived.wait();
    const doubled = there.mul(2);
    const back = emptyPinned(SHAPE, "float32", device);
    copyAsync_(back, doubled);
    const returned = new DeviceEvent(device).record();
    returned.synchronize();
    within(row, "to the device, doubled, and back", differing(back, source.mul(2)), 0);
    arrived.dispose();
    returned.dispose();
  });
}
