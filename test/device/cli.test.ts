// The command line with --device: a process of its own that loads the device, works on it, and says what to do when it has
// too little memory.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { simulatedDevice } from "../simulated-device.ts";
import { runCli } from "../e2e/cli.ts";
import { golden } from "../golden-dir.ts";
import { tinyOptions } from "../tiny-experiment.ts";

const { device, library } = simulatedDevice();

let root = "";
beforeAll(() => void (root = mkdtempSync(join(tmpdir(), "invdiff-device-cli-"))));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const sample = (out: string, env: Record<string, string>, ...more: string[]) =>
  runCli(
    [
      ...[
        "sample",
        "--model",
        golden("tiny-sd1"),
        "--out",
        join(root, out),
        "--prompt",
        "a bird",
        "--num",
        "4",
      ],
      ...["--steps", "1", "--height", "32", "--width", "32", "--device", device, ...more],
    ],
    { env },
  );

describe("--device", () => {
  it("samples on a device of a backend's library", async () => {
    const { code, stderr } = await sample("there", { INVDIFF_BACKEND: library });
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(readdirSync(join(root, "there")).filter((name) => /^0-.*\.png$/.test(name))).toHaveLength(4);
  });

  it("names the option of a command that takes less memory, and keeps what was made", async () => {
    const env = { INVDIFF_BACKEND: library, INVDIFF_SIMULATED_MEMORY: String(3 << 19) };
    const { code, stderr } = await sample("small", env, "--batch-size", "4");
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /error: Sampling does not fit into the memory of .*: .* were asked for, .* were free of 1\.6 MB/,
    );
    expect(stderr).toMatch(
      /Less is taken by --batch-size 2 or less in place of 4; by --dtype bfloat16; by --vae-tiling/,
    );
  });

  it("names the options of a training", async () => {
    const env = { INVDIFF_BACKEND: library, INVDIFF_SIMULATED_MEMORY: String(64 << 20) };
    const settings = { device, data: { train: 96, validation: 16 }, base: { batchSize: 96, steps: 2 } };
    const { code, stderr } = await runCli(
      ["quickstart", "--out", join(root, "run"), ...tinyOptions(settings)],
      {
        env,
      },
    );
    expect({ code, stderr }).toMatchObject({ code: 1 });
    expect(stderr).toMatch(
      /The training does not fit into the memory of .*batchSize 48 with accumulation 2/s,
    );
  });
});
