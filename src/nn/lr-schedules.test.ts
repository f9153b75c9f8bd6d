import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { ConfigError } from "../torch/index.ts";
import { LR_SCHEDULES, lrSchedule } from "./lr-schedules.ts";

interface Golden {
  base_lr: number;
  warmup: number;
  total: number;
  values: Record<string, number[]>;
}

describe("lrSchedule", () => {
  const {
    base_lr: lr,
    warmup,
    total,
    values,
  } = JSON.parse(readFileSync(golden("lr-schedules.json"), "utf8")) as Golden;

  it.each([...LR_SCHEDULES])("%s is diffusers' at all 100 steps", (name) => {
    const rate = lrSchedule(name, { lr, warmupSteps: warmup, totalSteps: total });
    values[name]!.forEach((value, step) => expect(Math.abs(rate(step) - value)).toBeLessThan(1e-12));
  });

  it("says what is wrong with impossible options", () => {
    expect(() => lrSchedule("cosine", { lr })).toThrow(/"cosine" needs totalSteps/);
    expect(() => lrSchedule("exponential" as "cosine", { lr })).toThrow(
      /unknown schedule "exponential".*polynomial/,
    );
    expect(() => lrSchedule("polynomial", { lr: 1e-8, totalSteps: 10 })).toThrow(ConfigError);
  });
});
