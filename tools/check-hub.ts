// The cache of `invdiff download` and that of Python's huggingface_hub: each fills one from a server on this machine, each finds the other's files.
//   node --import tsx tools/check-hub.ts --python /path/to/python
// The Python needs huggingface_hub (and diffusers, to load the model). Exit status 0 when all agree, 2 otherwise.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { downloadRepo, planRepo, type RepoType } from "../src/hub/index.ts";
import { loadPipeline } from "../src/pipelines/index.ts";
import { goldenDir } from "../test/golden-dir.ts";
import { type HubFile, startHub, testBytes } from "../test/hub-server.ts";

const REPOS: Readonly<Record<RepoType, string>> = { model: "check/tiny-sd", dataset: "check/birds" };

/** Runs all checks with this Python and prints a row for each. True when all agree. */
export async function checkHub(python: string): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "invdiff-hub-check-"));
  await using hub = await startHub([
    { type: "model", name: REPOS.model, commit: "1".repeat(40), files: modelFiles() },
    { type: "dataset", name: REPOS.dataset, commit: "2".repeat(40), files: datasetFiles() },
  ]);
  let agree = true;
  const row = (what: string, good: boolean) => {
    agree &&= good;
    console.log(`${what.padEnd(80)} ${good ? "ok" : "WRONG"}`);
  };
  try {
    const [ours, theirs] = [join(folder, "ours"), join(folder, "theirs")];
    const types = Object.keys(REPOS) as RepoType[];
    const options = (type: RepoType, cacheDir: string) => ({
      ...{ type, repo: REPOS[type], endpoint: hub.url, token: "", cacheDir },
    });
    for (const type of types) await downloadRepo(options(type, ours));
    const script = fileURLToPath(new URL("python/check_hub.py", import.meta.url));
    agree = (await run(python, [script, ours, theirs, hub.url])) === 0;
    for (const type of types) {
      const plan = await planRepo({ ...options(type, theirs), env: { HF_HUB_OFFLINE: "1" } });
      row(
        `this program finds Python's ${type} without a connection`,
        plan.files.every(({ state }) => state === "there"),
      );
      hub.seen.length = 0;
      const { path } = await downloadRepo(options(type, theirs));
      row(
        `and fetches nothing of it again`,
        hub.seen.every(({ path: place }) => place.startsWith("/api/")),
      );
      if (type === "dataset") continue;
      const { unet, textEncoder, vae } = loadPipeline(path).parts;
      row("and loads the pipeline from the links of the snapshot", unet.config.in_channels > 0);
      for (const part of [unet, textEncoder, vae]) part[Symbol.dispose]();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return agree;
}

/** The tiny model as a repository has it, with files beside it that loading does not need. */
function modelFiles(): Record<string, HubFile> {
  const place = join(goldenDir(), "tiny-sd1");
  const names = readdirSync(place, { recursive: true, encoding: "utf8" }).filter((name) =>
    statSync(join(place, name)).isFile(),
  );
  const files = names.map((name) => {
    const file = { bytes: readFileSync(join(place, name)), lfs: name.endsWith(".safetensors") };
    return [name.replaceAll("\\", "/"), file] as const;
  });
  const unneeded = {
    "README.md": { bytes: Buffer.from("# tiny") },
    "unet/old.ckpt": { bytes: testBytes(1000), lfs: true },
  };
  return { ...Object.fromEntries(files), ...unneeded };
}

const datasetFiles = (): Record<string, HubFile> => ({
  "data/train-00000-of-00002.parquet": { bytes: testBytes(5000, 1), lfs: true },
  "data/train-00001-of-00002.parquet": { bytes: testBytes(6000, 2), lfs: true },
  "README.md": { bytes: Buffer.from("# birds") },
});

/** Exit status of a command whose output is shown; the server of this process answers meanwhile. */
const run = (command: string, args: readonly string[]): Promise<number | null> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: "inherit" });
    child.on("error", (error) =>
      reject(new Error(`${command} cannot be run (${error.message}); name another with --python`)),
    );
    child.on("close", resolve);
  });

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { python: { type: "string", default: "python3" } } });
  const agree = await checkHub(values.python);
  console.log(
    agree ? "Python's cache and this program's agree." : "Python's cache and this program's do not agree.",
  );
  process.exitCode = agree ? 0 : 2;
}
