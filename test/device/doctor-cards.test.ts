// The doctor's lines about cards, asked of the simulated one.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { cardFacts, driverVersion } from "../../src/experiment/doctor-cards.ts";
import * as torch from "../../src/torch/index.ts";
import { simulatedDevice } from "../simulated-device.ts";

const simulated = simulatedDevice();
const { device } = simulated;
const limit = simulated.memoryLimit();
const folder = mkdtempSync(join(tmpdir(), "invdiff-doctor-"));
afterAll(() => {
  simulated.setMemoryLimit(limit);
  rmSync(folder, { recursive: true, force: true });
});

const find = (name: string, devices = [device as string]) =>
  cardFacts(torch, devices).find((fact) => fact.name === name);

describe("cardFacts", () => {
  it("says nothing without a card", () => expect(cardFacts(torch, [])).toEqual([]));

  it("names the card and its memory", () => {
    expect(find(device)).toMatchObject({ status: "ok" });
    expect(find(device)?.value).toMatch(/^simulated device, 1 multiprocessors, .* free of /);
  });

  it("captures and replays a graph, and leaves nothing alive", () => {
    const before = torch.tensorCount();
    expect(find("graphs")).toMatchObject({ status: "ok", value: `captured and replayed on ${device}` });
    expect(torch.tensorCount()).toBe(before);
  });

  it("says why the kernels are not in use", () =>
    expect(find("own CUDA kernels")).toMatchObject({
      status: "warning",
      value: `not in use: ${torch.kernelProblem(device)}`,
    }));

  it("warns of a card that is full, and of one that is not there", () => {
    const held = torch.ones([1 << 20], { device });
    simulated.setMemoryLimit(torch.memoryStats(device).reservedBytes + 1024);
    expect(find(device)).toMatchObject({ status: "warning" });
    simulated.setMemoryLimit(limit);
    held.dispose();
    expect(find("privateuseone:7", ["privateuseone:7"])?.value).toMatch(
      /does not answer: there is no device/,
    );
    expect(find("graphs", ["privateuseone:7"])).toMatchObject({ status: "warning" });
  });
});

describe("driverVersion", () => {
  it.each([
    [
      "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024",
      "535.183.01",
    ],
    ["NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build", "580.65.06"],
    ["something else", undefined],
  ])("of %s is %s", (text, version) => {
    const path = join(folder, "version");
    writeFileSync(path, `${text}\nGCC version: gcc 12.2.0\n`);
    expect(driverVersion(path)).toBe(version);
  });

  it("is unknown without a driver", () => expect(driverVersion(join(folder, "none"))).toBeUndefined());
});
