// invdiff train-classifier: a network that tells one attribute of an image, for the evaluation.
import { Option } from "@commander-js/extra-typings";
import { collect, numberFrom, wholeNumber } from "./config-options.ts";
import type { Program } from "./program.ts";

export function addTrainClassifier(program: Program): void {
  program
    .command("train-classifier")
    .description("train a ResNet on a label column, to measure bias with")
    .requiredOption("--data <dir>", "data set with train/ and, if it has them, validation/ and test/")
    .requiredOption(
      "--label <column>",
      "column to learn; given several times, one classifier each, in folders below --out",
      collect,
    )
    .requiredOption("--out <dir>", "folder for the classifier; unfinished work there is gone on with")
    .addOption(
      new Option("--model <name>", "network (default: that of --init, else resnet18)").choices([
        "resnet18",
        "resnet50",
      ] as const),
    )
    .option("--init <file>", "weights to start from: a file, or resnet18 or resnet50 as they were downloaded")
    .option("--image-size <pixels>", "images are squashed to this square", wholeNumber(32), 224)
    .option("--epochs <n>", "passes over the training images", wholeNumber(1), 10)
    .option("--batch-size <n>", "images per step", wholeNumber(2), 64)
    .option("--lr <rate>", "learning rate of Adam", numberFrom(1e-12, 10), 1e-4)
    .option("--no-flip", "never mirror images: for attributes that have a side")
    .option("--balance", "let every value count alike in the loss, however rare it is")
    .option(
      "--validation-share <share>",
      "share of the training images held out when there is no validation split",
      numberFrom(0.001, 0.9),
      0.1,
    )
    .option("--seed <n>", "seed of everything random", wholeNumber(), 0)
    .option("--device <name>", "cpu, cuda or cuda:N", "cpu")
    .option("--deterministic", "deterministic kernels alone on a card: the same bits every time, slower")
    .option("--threads <n>", "threads of the engine (default: one per core)", wholeNumber(1))
    .option("--memory <gigabytes>", "decoded images that may stay in memory", numberFrom(0, 1e6), 2)
    .option("--force", "replace a classifier that was trained with other settings")
    .addHelpText(
      "after",
      "\nThe epoch with the best F1 on the validation images stays. Examples:\n" +
        "  invdiff download network resnet18\n" +
        "  invdiff train-classifier --data celeba --label Male --init resnet18 --out male\n" +
        "  invdiff train-classifier --data faces --label gender --label race --balance --out classifiers",
    )
    .action(async (options) => {
      const { runTrainClassifier } = await import("./run-train-classifier.ts");
      await runTrainClassifier(options);
    });
}
