// A folder of `invdiff train-classifier` without a training: formula weights whose two values are equally frequent among
// given pictures.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { writeSafetensors } from "../src/checkpoint/index.ts";
import { writeClassifierFile } from "../src/experiment/classifier/classifier-file.ts";
import { IMAGENET, normalised, squashed } from "../src/data/imagenet.ts";
import { Resnet } from "../src/models/index.ts";
import { ParamStore } from "../src/nn/index.ts";
import { noGrad, scope, type Tensor } from "../src/torch/index.ts";
import { fill } from "./closed-form.ts";

export const CONFUSION = [
  [18, 2],
  [3, 17],
];

/** Writes classifier.json and the weights of a ResNet-18 that looks at pictures of 32 pixels. */
export function writeClassifierFolder(
  dir: string,
  { column, values, pictures }: { column: string; values: readonly [string, string]; pictures: Tensor },
): void {
  mkdirSync(dir, { recursive: true });
  const imageSize = 32;
  using model = fill(new Resnet(ParamStore.seeded(), { architecture: "resnet18", numClasses: 2 })).eval();
  noGrad(() =>
    scope(() => {
      const input = normalised(squashed(pictures, imageSize), { ...IMAGENET, device: "cpu" });
      const logits = model.forward(input).toNumbers();
      const margins = Array.from(
        { length: logits.length / 2 },
        (_, i) => logits[2 * i + 1]! - logits[2 * i]!,
      );
      const sorted = margins.sort((a, b) => a - b);
      const half = sorted.length / 2;
      const median = (sorted[Math.ceil(half) - 1]! + sorted[Math.floor(half)]!) / 2;
      const bias = model.stateDict().get("fc.bias")!;
      bias.slice(0, 1).sub_(median);
    }),
  );
  writeSafetensors(join(dir, "model.safetensors"), Object.fromEntries(model.stateDict()));
  const { mean, std } = IMAGENET;
  const measured = {
    ...{ images: 40, loss: 0.3, accuracy: 0.875, interval: [0.75, 0.95] as [number, number] },
    ...{ precision: 0.9, recall: 0.85, f1: 0.87, macroF1: 0.87, confusion: CONFUSION },
  };
  writeClassifierFile(dir, {
    ...{ invdiff: "0", architecture: "resnet18", column, values: [...values], imageSize },
    ...{ mean: [...mean], std: [...std], bestEpoch: 1, finished: true, seed: 0, settings: {} },
    metrics: { validation: measured },
    data: { path: "set", fingerprint: "f", counts: {}, validationDrawn: true },
  });
}
