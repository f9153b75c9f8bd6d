// Stage "data": draws the procedural birds.
import { rmSync } from "node:fs";
import { join } from "node:path";

import { writeBirds } from "../../data/index.ts";
import type { Stage } from "../stage.ts";

export const dataStage: Stage = {
  name: "data",
  needs: [],
  disposable: true,
  inputs: ({ seed, data: { train, validation, balance, poseBalance, resolution } }) => ({
    seed,
    train,
    validation,
    balance,
    poseBalance,
    resolution,
  }),
  async run({ config, dir, signal, progress }) {
    const { train, validation, balance, poseBalance, resolution } = config.data;
    const target = join(dir, "birds");
    rmSync(target, { recursive: true, force: true });
    await writeBirds(target, {
      seed: config.seed,
      train,
      validation,
      balance,
      poseBalance,
      size: resolution,
      signal,
      onProgress: (done, total) => progress({ task: "drawing birds", done, total }),
    });
    return { train, validation, balance, ...(poseBalance !== undefined && { poseBalance }) };
  },
};
