// A process that is killed outright while it saves: whatever the moment, the last checkpoint that it told of is there and whole.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { scope } from "../../torch/index.ts";
import { type InvalidRunState, latestRunState, openRunState } from "../index.ts";

const CHILD = fileURLToPath(new URL("../../../test/run-state-child.ts", import.meta.url));
/** Milliseconds after the first checkpoint: no two meet the same call of a save. */
const MOMENTS = [0, 3, 7, 11, 17, 23, 29, 37, 47, 59];

/** Starts the child, kills it some time after its first checkpoint, and gives the last step that it told. */
async function killed(dir: string, milliseconds: number): Promise<number> {
  const child = spawn(process.execPath, ["--import", import.meta.resolve("tsx"), CHILD, dir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (more: string) => (text += more));
  const closed = once(child, "close");
  await once(child.stdout, "data");
  await sleep(milliseconds);
  child.kill("SIGKILL");
  await closed;
  return Number(text.split("\n").at(-2));
}

it(`leaves a usable checkpoint at ${MOMENTS.length} moments`, async () => {
  const dir = mkdtempSync(join(tmpdir(), "run-state-kill-"));
  try {
    for (const moment of MOMENTS) {
      const told = await killed(dir, moment);
      const invalid: InvalidRunState[] = [];
      const place = latestRunState(dir, { onInvalid: (item) => invalid.push(item) });
      expect(invalid).toEqual([]);
      // A save may have been complete without word of it.
      expect([told, told + 1]).toContain(place?.step);
      const { step, state, tensors } = openRunState(place!.path);
      expect(state).toEqual({ step });
      for (const group of ["weights", "optimizer"]) {
        const values = tensors(group);
        for (const value of values.values()) {
          const [least, most] = scope(() => [value.min().item(), value.max().item()]);
          expect([least, most]).toEqual([step, step]);
          value.dispose();
        }
      }
      const shown = readdirSync(dir).filter((name) => !name.startsWith("."));
      expect(shown.length).toBeLessThanOrEqual(3);
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
}, 180_000);
