// Ten kills of a real training through the function of `npm run kill-test`: nothing unreadable, little lost, the same end.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { killTest } from "../../tools/kill/kill-run.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const MOMENTS = 10;

it(
  `survives kill -9 at ${MOMENTS} random moments`,
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "invdiff-kill-"));
    try {
      const program = ["--import", import.meta.resolve("tsx"), MAIN];
      const { kills, finished, differing, compared } = await killTest({
        program,
        folder,
        moments: MOMENTS,
        seed: 1,
      });
      expect(
        kills.flatMap(({ moment, problems }) => problems.map((problem) => `${moment}: ${problem}`)),
      ).toEqual([]);
      expect(kills).toHaveLength(MOMENTS);
      // Some of them came far enough to lose something; a test that kills nothing shows nothing.
      expect(kills.filter(({ during }) => during === "training").length).toBeGreaterThan(3);
      expect(Math.max(...kills.map(({ checkpoint = 0 }) => checkpoint))).toBeGreaterThan(0);
      expect(differing).toEqual([]);
      expect(finished).toBeGreaterThan(0);
      expect(compared).toBeGreaterThanOrEqual(3 * finished);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  5 * 60_000,
);
