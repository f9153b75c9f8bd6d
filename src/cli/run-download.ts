// Runs downloads for the command: what there is and where it goes, progress, and the place at the end.
import { ConfigError } from "../experiment/errors.ts";
import {
  copyOut,
  downloadNetwork,
  downloadPublished,
  downloadRepo,
  KNOWN_NETWORKS,
  type NetworkName,
  networkName,
  networkPlace,
  networkUrl,
  planPublished,
  planRepo,
  type PublishedPart,
  publishedSet,
  type RepoDownload,
} from "../hub/index.ts";
import { bytesText } from "../experiment/disk-full.ts";
import { byteProgress, filesTable, filesText, planText } from "./download-text.ts";
import { type Session, session } from "./session.ts";

interface Common {
  readonly force?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  readonly parallel?: number | undefined;
}

type RepoOptions = Common &
  Pick<RepoDownload, "repo" | "type" | "revision" | "include" | "exclude" | "verify" | "variant"> & {
    readonly to?: string | undefined;
  };

/** Errors: those of `downloadRepo`; StoppedError when interrupted. So for all. */
export async function runRepo({ to, force, dryRun = false, ...request }: RepoOptions): Promise<void> {
  await session(async ({ signal, progress, note }) => {
    const told = { signal, ...showing(note) };
    if (dryRun) {
      const plan = await planRepo({ ...request, ...told });
      console.log(`${filesTable(plan)}\n${planText(plan)}`);
      return;
    }
    const found = await downloadRepo({
      ...request,
      ...told,
      onProgress: byteProgress(progress, request.repo),
    });
    if (to !== undefined) await copyOut(found, to, { force, signal });
    console.log(to ?? found.path);
  });
}

type NetworkCommandOptions = Common & { readonly url?: string | undefined; readonly to?: string | undefined };

/** Errors also: ConfigError for a name that is none. */
export async function runNetworks(names: readonly string[], options: NetworkCommandOptions): Promise<void> {
  const { dryRun = false, ...rest } = options;
  const wanted = names.map(networkName);
  if (rest.url !== undefined && wanted.length > 1)
    throw new ConfigError(`--url is the address of one network; ${wanted.length} were named. Give one.`);
  await session(async ({ signal, progress, note }) => {
    for (const name of wanted) {
      const { what } = KNOWN_NETWORKS[name];
      if (dryRun) {
        console.log(networkText(name, rest));
        continue;
      }
      const told = { signal, ...showing(note), onProgress: byteProgress(progress, name) };
      const { path, kept } = await downloadNetwork(name, { ...rest, ...told });
      note(`${name}: ${what}${kept ? "; it is there already" : ""}`);
      console.log(path);
    }
  });
}

function networkText(name: NetworkName, options: NetworkCommandOptions): string {
  const network = KNOWN_NETWORKS[name];
  const size = "bytes" in network ? `, ${bytesText(network.bytes)}` : "";
  return `${name}: ${network.what}${size}\n  ${networkUrl(name, options)} -> ${networkPlace(name, options)}`;
}

type PublishedCommandOptions = Common &
  Pick<RepoDownload, "revision" | "exclude" | "verify"> & {
    readonly to: string;
    readonly only?: readonly PublishedPart[] | undefined;
  };

/** Errors also: ConfigError for a set that is none; those of `extractZip`. */
export async function runPublished(
  names: readonly string[],
  options: PublishedCommandOptions,
): Promise<void> {
  const { dryRun = false, ...rest } = options;
  const sets = names.length === 0 ? undefined : [...new Set(names.map(publishedSet))];
  await session(async ({ signal, progress, note }) => {
    const told = { signal, sets, ...showing(note) };
    if (dryRun) {
      const plan = await planPublished({ ...rest, ...told });
      console.log(`${filesTable(plan)}\n${planText(plan)}`);
      return;
    }
    const onProgress = byteProgress(progress, "Invdiff/Invdiff-Data");
    for (const { path, files, kept } of await downloadPublished({ ...rest, ...told, onProgress }))
      console.log(`${path}: ${filesText(files)}${kept ? ", there already" : ""}`);
  });
}

/** Tells the plan and the notes of a download. */
const showing = (note: Session["note"]): Pick<RepoDownload, "onNote" | "onPlan"> => ({
  onNote: note,
  onPlan: (plan) => note(planText(plan)),
});
