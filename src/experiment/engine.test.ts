// Which devices may be asked for. That a backend's device works is tested in test/device.
import { afterEach, describe, expect, it, vi } from "vitest";
import { UserError } from "../torch/errors.ts";
import { isDeviceName, prepareEngine } from "./engine.ts";

afterEach(() => void vi.unstubAllEnvs());

describe("a device", () => {
  it("is cpu or cuda, with a number or without", () => {
    const names = ["cpu", "cuda", "cuda:0", "cuda:11", "cuda:", "cuda:x", "gpu", "cpu:1", "privateuseone:0"];
    expect(names.filter(isDeviceName)).toEqual(["cpu", "cuda", "cuda:0", "cuda:11"]);
  });

  it("of a backend has a name once the backend is named", () => {
    vi.stubEnv("INVDIFF_BACKEND", "/nowhere/backend.so");
    expect(["privateuseone", "privateuseone:0", "privateuseone:1"].filter(isDeviceName)).toEqual([
      "privateuseone",
      "privateuseone:0",
    ]);
  });

  it("that is no name, not there, or of a library that does not load is an error that says so", async () => {
    const asked = (device: string) => prepareEngine({ device, threads: undefined });
    await expect(asked("gpu")).rejects.toThrow(new UserError("device is gpu; expected cpu, cuda or cuda:N."));
    await expect(asked("cuda:99")).rejects.toThrow(
      /device is cuda:99, but libtorch sees .*Set device to cpu/,
    );
    vi.stubEnv("INVDIFF_BACKEND", "/nowhere/backend.so");
    await expect(asked("privateuseone")).rejects.toThrow(/library \/nowhere\/backend\.so does not load/);
  });
});
