// invdiff download: models, data sets, feature networks and the published artefacts, resumed and checked.
import { type Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import type { PublishedPart, RepoType } from "../hub/index.ts";
import { collect, wholeNumber } from "./config-options.ts";
import type { Program } from "./program.ts";

const NETWORKS = "inception, vgg16, lpips, clip, resnet18, resnet50";
const PARTS = ["classifier", "groupers", "models", "datasets"] as const satisfies readonly PublishedPart[];

export function addDownload(program: Program): void {
  const download = program
    .command("download")
    .description("download models, data sets, feature networks and the published InvDiff artefacts")
    .addHelpText(
      "after",
      "\nA download that was stopped goes on when the same command is given again; every byte is checked. Files of repositories go into the\n" +
        "Hugging Face cache, where Python finds them too. Environment: HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_OFFLINE, INVDIFF_NETWORKS,\n" +
        "INVDIFF_MIRROR (docs/downloads.md). Examples:\n" +
        "  invdiff download model CompVis/stable-diffusion-v1-4 --dry-run\n" +
        "  invdiff download dataset OWNER/NAME --include 'data/train-*'\n" +
        "  invdiff download network inception\n" +
        "  invdiff download invdiff celeba --only classifier,groupers",
    );
  addRepo(download, "model");
  addRepo(download, "dataset");
  addNetwork(download);
  addPublished(download);
}

const withCommon = <A extends unknown[], O extends Record<string, unknown>>(command: Command<A, O>) =>
  command
    .option("--parallel <n>", "files fetched at once (default: 4)", wholeNumber(1))
    .option("--force", "replace other files that are in the way")
    .option("--dry-run", "list what would be fetched and stop");

const withRepo = <A extends unknown[], O extends Record<string, unknown>>(command: Command<A, O>) =>
  withCommon(command)
    .option("--revision <name>", "branch, tag or commit (default: main)")
    .option("--exclude <pattern>", "leave these files out (repeatable)", collect)
    .option("--verify", "read what is in the cache, and fetch again what has changed bytes");

function addRepo(download: Command, type: RepoType): void {
  const isModel = type === "model";
  const needed = isModel
    ? "what sampling needs, safetensors first"
    : "parquet files, or pictures with captions";
  const command = withRepo(
    download
      .command(type)
      .description(
        `download a ${isModel ? "model" : "data set"} by its name on the hub (or the server HF_ENDPOINT)`,
      )
      .argument("<name>", "OWNER/NAME"),
  )
    .option("--include <pattern>", `only these files (repeatable; default: ${needed}; '*' for all)`, collect)
    .option("--to <dir>", "copy the files into this folder too");
  const run = async (repo: string, options: ReturnType<typeof command.opts> & { variant?: string }) => {
    const { runRepo } = await import("./run-download.ts");
    await runRepo({ ...options, repo, type });
  };
  if (isModel) command.option("--variant <name>", "weights of this variant, such as fp16").action(run);
  else command.action(run);
}

function addNetwork(download: Command): void {
  withCommon(
    download
      .command("network")
      .description(`download published networks: ${NETWORKS}`)
      .argument("<name...>", NETWORKS),
  )
    .option("--url <address>", "take the file from here instead; the checksum stays")
    .option("--to <dir>", "folder for the files (default: INVDIFF_NETWORKS, or invdiff/networks in ~/.cache)")
    .action(async (names, options) => {
      const { runNetworks } = await import("./run-download.ts");
      await runNetworks(names, options);
    });
}

function addPublished(download: Command): void {
  withRepo(
    download
      .command("invdiff")
      .description("download what the authors of InvDiff published (Invdiff/Invdiff-Data), and unpack it")
      .argument("[set...]", "celeba, fairness, waterbird (default: all)"),
  )
    .addOption(
      new Option("--only <parts>", `of ${PARTS.join(",")} (default: all but datasets)`).argParser(partsOf),
    )
    .option("--to <dir>", "folder below which invariant/... is made", "invdiff-data")
    .action(async (names, options) => {
      const { runPublished } = await import("./run-download.ts");
      await runPublished(names, options);
    });
}

function partsOf(text: string): PublishedPart[] {
  return text.split(",").map((name) => {
    const found = PARTS.find((part) => part === name.trim());
    if (found === undefined)
      throw new InvalidArgumentError(`Expected some of ${PARTS.join(",")}, with commas.`);
    return found;
  });
}
