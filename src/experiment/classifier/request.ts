// What `invdiff train-classifier` is asked for. The defaults are those of the reference's train_classifier.py.
import { existsSync } from "node:fs";
import { z } from "zod";
import { networkPath } from "../../hub/index.ts";
import { UserError } from "../../torch/errors.ts";

const text = z.string().min(1);
const whole = (min: number, max = Number.MAX_SAFE_INTEGER) => z.int().min(min).max(max);

export const trainClassifierSchema = z.strictObject({
  data: text.describe("data set with train/ and, if it has them, validation/ and test/"),
  column: text.describe("column with the labels"),
  out: text.describe("folder for the classifier"),
  model: z
    .enum(["resnet18", "resnet50"])
    .optional()
    .describe("network; default: that of --init, else resnet18"),
  init: text
    .optional()
    .describe("weights to start from: a file, or resnet18 or resnet50 as they were downloaded"),
  imageSize: whole(32, 4096).default(224).describe("pixels; images are squashed to a square"),
  epochs: whole(1, 100_000).default(10),
  batchSize: whole(2, 65_536).default(64),
  lr: z.number().positive().default(1e-4).describe("learning rate of Adam"),
  flip: z.boolean().default(true).describe("mirror training images at random"),
  balance: z.boolean().default(false).describe("let every value count alike in the loss"),
  validationShare: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.1)
    .describe("share of the training images that stand in for a missing validation split"),
  seed: whole(0).default(0),
  device: text.default("cpu").describe("cpu, cuda or cuda:N"),
  deterministic: z.boolean().default(false).describe("use deterministic kernels alone on a card"),
  threads: whole(1, 1024).optional().describe("threads of the engine; default: one per core"),
  memoryBytes: z.number().min(0).default(2e9).describe("decoded pictures that may stay in memory"),
  force: z.boolean().default(false).describe("replace a classifier that was trained otherwise"),
});

export type TrainClassifierRequest = z.output<typeof trainClassifierSchema>;

/** The downloaded weights of this name, where no file is called so. Errors: UserError when they are not there. */
function initFile(init: string): string {
  if (existsSync(init) || (init !== "resnet18" && init !== "resnet50")) return init;
  const path = networkPath(init);
  if (path === undefined)
    throw new UserError(
      `There is no file ${init}, and the network of this name is not on this machine. Get it: invdiff download network ${init}`,
    );
  return path;
}

/** A checked request with all defaults. Errors: UserError naming every option that does not fit. */
export function trainClassifierRequest(given: z.input<typeof trainClassifierSchema>): TrainClassifierRequest {
  const result = trainClassifierSchema.safeParse(given);
  if (result.success) {
    const { init, ...rest } = result.data;
    return { ...rest, ...(init !== undefined && { init: initFile(init) }) };
  }
  const problems = result.error.issues.map(({ path, message }) => {
    const value = (given as Record<PropertyKey, unknown>)[path[0] ?? ""];
    return `${path.join(".")}: ${message} (given: ${JSON.stringify(value)})`;
  });
  throw new UserError(`These options do not fit:\n  ${problems.join("\n  ")}`);
}
