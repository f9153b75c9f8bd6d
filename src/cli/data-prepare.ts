// invdiff data prepare: the published data sets, from their official downloads to image folders.
import { type Command, Option } from "@commander-js/extra-typings";
import type { PreparePlan, PrepareOptions } from "../data/prepare/index.ts";
import { wholeNumber } from "./config-options.ts";

/** Adds `prepare` with a command for each data set to the group `data`. */
export function addDataPrepare<
  A extends unknown[],
  O extends Record<string, unknown>,
  G extends Record<string, unknown>,
>(data: Command<A, O, G>): void {
  const prepare = data
    .command("prepare")
    .description("make an image folder of a published data set's official download")
    .addHelpText(
      "after",
      "\nExamples:\n" +
        "  invdiff data prepare waterbirds waterbird_complete95_forest2water2 --out data/waterbirds\n" +
        "  invdiff data prepare celeba celeba --ratio 1:4:4:1 --against black --out data/celeba\n" +
        "  invdiff data prepare fairface fairface --size 5000 --link --out data/fairface",
    );
  withPrepareOptions(prepare.command("waterbirds"), {
    ratio: "as-is",
    groups: "landbird on land, landbird on water, waterbird on land, waterbird on water",
    captions: ["type", "species"],
    about: "type: a photo of a waterbird; species: a black footed albatross",
  })
    .description("Waterbirds: a folder with metadata.csv and a folder of pictures for each species")
    .action((source, options) => run("waterbirds", source, options));
  withPrepareOptions(prepare.command("celeba"), {
    ratio: "1:2:2:1",
    groups: "blond man, blond woman, other man, other woman",
    captions: ["hair", "gender"],
    about: "hair: a photo of a person with blond hair; gender: a photo of a man",
  })
    .description(
      "CelebA: a folder with list_attr_celeba, list_eval_partition (.txt or .csv) and img_align_celeba/",
    )
    .addOption(
      new Option(
        "--against <hair>",
        "whom the blond stand against: all others, or black hair only as in the reference",
      )
        .choices(["other", "black"] as const)
        .default("other" as const),
    )
    .action((source, options) => run("celeba", source, options));
  withPrepareOptions(prepare.command("fairface"), {
    ratio: "3:2:1:1:1:1:2:3",
    groups: "men White, Asian, Indian, Black, then women",
    captions: ["gender", "person"],
    about: "gender: a photo of a man; person: a photo of a person",
  })
    .description("FairFace: a folder with fairface_label_train.csv, fairface_label_val.csv, train/ and val/")
    .action((source, options) => run("fairface", source, options));
}

interface Wording<C extends string> {
  ratio: string;
  groups: string;
  captions: readonly [C, ...C[]];
  about: string;
}

const withPrepareOptions = <
  A extends unknown[],
  O extends Record<string, unknown>,
  G extends Record<string, unknown>,
  C extends string,
>(
  command: Command<A, O, G>,
  { ratio, groups, captions, about }: Wording<C>,
) =>
  command
    .argument("<source>", "folder that the official download unpacked to")
    .requiredOption("--out <dir>", "folder to write")
    .option("--ratio <ratio>", `training images of ${groups}; or balanced, or as-is`, ratio)
    .addOption(new Option("--captions <style>", about).choices(captions).default(captions[0]))
    .option(
      "--caption <template>",
      "caption of your own with columns in braces, such as 'a photo of a {gender}'",
    )
    .addOption(
      mode("--validation <mode>", "validation images: as many of every group, or as published", "balanced"),
    )
    .addOption(mode("--test <mode>", "test images, where the data set has them", "as-is"))
    .option("--size <n>", "at most so many training images", wholeNumber(1))
    .option("--validation-size <n>", "at most so many validation images", wholeNumber(1))
    .option("--seed <n>", "seed of the choice of images", wholeNumber(), 0)
    .option("--images <dir>", "folder of the images, where they are not beside the label files")
    .addOption(
      new Option("--check <which>", "decode all listed images, or only those that are used")
        .choices(["all", "used"] as const)
        .default("all" as const),
    )
    .option("--skip-broken", "leave out images that are missing or broken, instead of stopping")
    .option("--link", "make hard links instead of copies")
    .option("--force", "replace a data set that was prepared before");

const mode = (flags: string, about: string, byDefault: "balanced" | "as-is") =>
  new Option(flags, about).choices(["balanced", "as-is", "none"] as const).default(byDefault);

async function run(
  name: "waterbirds" | "celeba" | "fairface",
  source: string,
  { out, ...options }: PrepareOptions & { out: string },
): Promise<void> {
  const { prepareDataset, publishedSets } = await import("../data/prepare/index.ts");
  const { planTable, preparedText } = await import("./data-prepare-text.ts");
  const { commandLine } = await import("./command-line.ts");
  const { session } = await import("./session.ts");
  let plan: PreparePlan | undefined;
  await session(async ({ signal, progress, note }) => {
    plan = await prepareDataset(publishedSets[name], source, out, {
      ...options,
      command: commandLine(),
      signal,
      onPlan: (found) => note(planTable(found)),
      onProgress: (event) => progress({ stage: name, unit: "image", ...event }),
    });
  });
  if (plan) console.log(preparedText(plan, out));
}
