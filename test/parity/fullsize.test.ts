// Stable Diffusion 1.4's U-Net in its full size, loaded from a file of 3.4 GB: numbers and memory. Golden: fullsize-sd14-unet.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, it } from "vitest";
import { readSafetensors } from "../../src/checkpoint/index.ts";
import { golden } from "../golden-dir.ts";
import { relativeError } from "../tensors.ts";
import { within } from "./within.ts";

/** The weights take 3.44. */
const DISK_GB = 5;
const child = fileURLToPath(new URL("fullsize-child.ts", import.meta.url));

/** Runs one command of the child and returns its stdout. */
const run = (command: string, dir: string): string =>
  execFileSync(process.execPath, ["--import", "tsx", child, command, dir], {
    encoding: "utf8",
    env: { ...process.env, OMP_NUM_THREADS: "2" },
  });

const freeGigabytes = (folder: string): number => {
  const { bavail, bsize } = statfsSync(folder);
  return (bavail * bsize) / 1e9;
};

describe("fullsize", () => {
  it(
    "Stable Diffusion 1.4's U-Net: one forward at 64 x 64, peak memory (slow)",
    { timeout: 300_000 },
    (test) => {
      test.skip(freeGigabytes(tmpdir()) < DISK_GB, `less than ${DISK_GB} GB are free in ${tmpdir()}`);
      test.skip(!existsSync("/proc/self/status"), "the system does not tell the peak memory of a process");
      const dir = mkdtempSync(join(tmpdir(), "fullsize-"));
      try {
        run("write", dir);
        const { peakBytes } = JSON.parse(run("forward", dir)) as { peakBytes: number };
        const output = readSafetensors(join(dir, "output.safetensors")).get("output")!;
        const expected = readSafetensors(golden("fullsize-sd14-unet.safetensors")).get("output")!;
        within("fullsize: U-Net output", "64 x 64", relativeError(output, expected), 1e-3);
        within("fullsize: peak memory (GB)", "load and forward", peakBytes / 1e9, 6);
        for (const value of [output, expected]) value.dispose();
      } finally {
        rmSync(dir, { recursive: true });
      }
    },
  );
});
